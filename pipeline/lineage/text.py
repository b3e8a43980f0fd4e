"""Foreign strings for a terminal, and numbers, times and tables as people read them.

What is in a store was written by anyone. A control character could move the cursor, hide text or
change the terminal's title, and a bidirectional mark could reorder a line; all of them are shown
as escapes.
"""

from __future__ import annotations

import datetime
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

# Control, format (the bidirectional marks among them), surrogate, private, unassigned.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_SEPARATORS = frozenset({"Zl", "Zp"})
_MIN_WIDTH = 7
_STYLES = {
    "COMPLETE": "green",
    "CACHED": "cyan",
    "RUNNING": "yellow",
    "NEW": "yellow",
    "FAILED": "red",
    "CANCELED": "magenta",
    "UNFINISHED": "magenta",
    "pushed": "green",
    "passed": "green",
    "met": "green",
    "refused": "red",
    "failed": "red",
    "missed": "red",
    "not shown": "red",
    "data rejected": "red",
    "not good enough": "red",
    "not servable": "red",
}


def clean(value: object) -> str:
    """A value as one line of text in which nothing is active or invisible."""
    return "".join(_visible(character) for character in str(value))


def _visible(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    category = unicodedata.category(character)
    if category not in _HIDDEN and category not in _SEPARATORS:
        return character
    if character in "\n\t\r":
        return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def short(value: object, length: int = 60) -> str:
    """A clean value, cut in the middle of nowhere with `…` where it is longer."""
    text = clean(value)
    return text if len(text) <= length else f"{text[: length - 1]}…"


def styled(word: str) -> Text:
    """A state, a decision or a verdict in its colour."""
    return Text(clean(word), style=_STYLES.get(word, ""))


def number(value: object) -> str:
    """A number with the digits that matter, whole ones with separators; else the clean text."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return clean(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.5g}"


def size(num_bytes: int) -> str:
    """Bytes as people read them; empty where they are not known."""
    if num_bytes < 0:
        return ""
    value = float(num_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def moment(milliseconds: int) -> str:
    """A time in the reader's own zone; empty for 0."""
    if not milliseconds:
        return ""
    local = datetime.datetime.fromtimestamp(milliseconds / 1000).astimezone()
    return local.strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float | None) -> str:
    """Seconds as people read them; empty where unknown."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def hash_start(digest: str) -> str:
    """The beginning of a hash, enough to name it."""
    return clean(digest)[:12]


def print_table(
    console: Console,
    columns: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    *,
    right: Sequence[str] = (),
    folded: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> None:
    """Prints a table as wide as the terminal lets it be.

    Args:
        console: where to.
        columns: their titles.
        rows: the cells; clean already.
        right: columns of numbers.
        folded: columns whose text may go over several lines; others are cut.
        whole: columns that are neither cut nor folded while others can give way.
    """
    rows = list(rows)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in columns:
        table.add_column(
            title,
            justify="right" if title in right else "left",
            overflow="fold" if title in folded else "ellipsis",
            no_wrap=title not in folded,
            min_width=_needed(rows, columns.index(title), console) if title in whole else None,
        )
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    console.print(table)


def _needed(rows: Sequence[Sequence[str | Text]], place: int, console: Console) -> int:
    """The width of a column, but not more than half of the terminal's."""
    longest = max((len(row[place]) for row in rows), default=0)
    return min(max(longest, _MIN_WIDTH), console.width // 2)


def print_facts(console: Console, facts: Iterable[tuple[str, Any]]) -> None:
    """Prints names and values in two columns; what is empty is left out."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in facts:
        if value not in ("", None):
            table.add_row(Text(name), value if isinstance(value, Text) else Text(clean(value)))
    console.print(table)


def heading(console: Console, title: str) -> None:
    """Prints a title over what follows."""
    console.print()
    console.print(Text(title, style="bold underline"))


def line(console: Console, text: str, style: str = "") -> None:
    """Prints a line of clean text; a long one is wrapped by the terminal."""
    console.print(Text(clean(text), style=style), soft_wrap=True)

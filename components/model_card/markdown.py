"""Markdown from foreign text that stays text: no markup, link or picture comes of it.

Source: https://spec.commonmark.org/0.31.2/#backslash-escapes
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

# An underscore within a word means nothing, as in most names of columns.
_MARKUP = re.compile(r"[\\`*\[\]<>|~&#!]|(?<![^\W_])_|_(?![^\W_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ud800-\udfff]")
# What would begin a list, a rule, or underline a heading.
_BLOCK = re.compile(r"^(\d+)([.)])|^([-+=:])")

NOTHING = "-"


def plain(value: object) -> str:
    """Text for a line of its own, escaped; it cannot begin a list, a rule or the like."""
    escaped = inline(value)
    return _BLOCK.sub(lambda found: f"{found[1] or ''}\\{found[2] or found[3]}", escaped)


def inline(value: object) -> str:
    """Text within a line, escaped; line breaks become blanks, other control characters `\ufffd`."""
    line = " ".join(_CONTROL.sub("\ufffd", str(value)).split())
    return _MARKUP.sub(lambda found: f"\\{found[0]}", line)


def free_text(text: str) -> str:
    """Text in paragraphs, and in lists of lines that begin with `- `."""
    blocks: list[list[str]] = [[]]
    was_item = False
    for line in text.splitlines():
        stripped = line.strip()
        is_item = stripped.startswith(("- ", "* "))
        if blocks[-1] and (not stripped or (is_item and not was_item)):
            blocks.append([])
        if stripped:
            blocks[-1].append(f"- {plain(stripped[2:])}" if is_item else plain(stripped))
        was_item = is_item
    return "\n\n".join("\n".join(block) for block in blocks if block)


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: int = 0) -> str:
    """A table; the last `numbers` columns are aligned to the right.

    Args:
        head: its columns, our own text.
        rows: their cells; text is escaped, a number is written short, None is a dash.
        numbers: how many columns hold numbers.
    """
    rule = ["---"] * (len(head) - numbers) + ["--:"] * numbers
    lines = [head, rule, *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code_block(text: str, language: str = "") -> str:
    """Text as it is, in a fence longer than any in it."""
    longest = max([2, *(len(found) for found in re.findall(r"`+", text))])
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def number(value: float | None) -> str:
    """A number in few characters; a dash for None."""
    if value is None:
        return NOTHING
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "-∞"}.get(value, "NaN")
    if abs(value) < 1e15 and (value == int(value) or abs(value) >= 1e4):
        return f"{value:,.0f}"
    return f"{value:,.4g}" if abs(value) < 1 else f"{value:,.5g}"


def _cell(value: object) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    return inline(value) or NOTHING

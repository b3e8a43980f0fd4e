"""What comes from a store does nothing to a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from pipeline.lineage import text


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J\x1b[31mred", r"\x1b[2J\x1b[31mred"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("a\rb\nc\td", r"a\rb\nc\td"),
        ("abc\u202etxt.exe", r"abc\u202etxt.exe"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("line\u2028break", r"line\u2028break"),
        ("\ud800", r"\ud800"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("[bold]markup[/bold]", "[bold]markup[/bold]"),
        ("../../etc/passwd", "../../etc/passwd"),
        ("Zürich 北京", "Zürich 北京"),
    ],
)
def test_nothing_active_or_invisible_reaches_a_terminal(hostile: str, shown: str) -> None:
    assert text.clean(hostile) == shown


def test_tables_print_markup_and_emoji_codes_as_they_are() -> None:
    out = io.StringIO()
    console = Console(file=out, width=60, markup=False, highlight=False, emoji=False)
    text.print_table(console, ["name"], [[text.clean("[red]x[/red] :bomb: \x1b[5m")]])
    text.print_facts(console, [("uri", "[link=http://x]y[/link]\x1b[0m"), ("none", "")])
    text.line(console, "[blink]\x07")
    said = out.getvalue()
    assert "[red]x[/red] :bomb: \\x1b[5m" in said
    assert "[link=http://x]y[/link]\\x1b[0m" in said
    assert "[blink]\\x07" in said
    assert "\x1b" not in said
    assert "\x07" not in said


def test_a_narrow_terminal_gets_no_longer_lines() -> None:
    out = io.StringIO()
    console = Console(file=out, width=40)
    text.print_table(
        console, ["run", "uri"], [["r" * 30, "u" * 100]], folded=["uri"], whole=["run"]
    )
    assert max(len(line) for line in out.getvalue().splitlines()) <= 40


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, ""), (0.04, "0.0 s"), (59.9, "59.9 s"), (61, "1 min 1 s"), (7260, "2 h 1 min")],
)
def test_durations_are_short(seconds: float | None, shown: str) -> None:
    assert text.duration(seconds) == shown


def test_sizes_and_numbers_have_the_digits_that_matter() -> None:
    assert [text.size(n) for n in (-1, 0, 999, 1500, 2 * 10**9)] == [
        "",
        "0 B",
        "999 B",
        "1.5 kB",
        "2.0 GB",
    ]
    assert [text.number(n) for n in (None, 12345, 0.123456789, True, "x")] == [
        "",
        "12,345",
        "0.12346",
        "True",
        "x",
    ]

"""Foreign text in Markdown stays text, and a table stays a table."""

from __future__ import annotations

import html
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from components.model_card.markdown import code_block, free_text, inline, number, plain, table

MARKDOWN = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable(
    ["table", "strikethrough"]
)
TEXTS = [
    "trip_miles", "_a_", "__init__", "*a*", "**", "<script>alert(1)</script>", "<b>", "a < b > c",
    "[x](javascript:alert(1))", "![x](http://example.invalid/a.png)", "[a]: http://b", "a|b|c",
    "1. x", "2) y", "- z", "+ z", "* z", "# h", "===", "---", "> quote", "`code`", "``", "~~~",
    "~~gone~~", "&amp;", "&#60;b&#62;", "a\\", "\\|", "<!-- c -->", "<http://a.b>", "   four",
    "::: x", "a\nb", "\\<script\\>",
]  # fmt: skip


def text_of(markdown: str) -> str:
    """What a reader sees of one paragraph, which has to be all there is."""
    rendered = MARKDOWN.render(markdown).strip()
    found = re.fullmatch(r"<p>([^<]*)</p>", rendered, re.DOTALL)
    assert found is not None, rendered
    return html.unescape(found[1])


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_shown_as_it_is(text: str) -> None:
    assert text_of(plain(text)) == " ".join(text.split())


@given(st.text(min_size=1).filter(lambda text: plain(text) != ""))
def test_any_text_is_shown_as_it_is(text: str) -> None:
    shown = text_of(plain(text))
    assert "\ufffd" in shown or shown == " ".join(text.split())


@pytest.mark.parametrize("text", TEXTS)
def test_a_cell_holds_its_text_and_no_more(text: str) -> None:
    rendered = MARKDOWN.render(table(["name", "value"], [[text, 1.5]], numbers=1))
    cells = re.findall(r"<td[^>]*>(.*?)</td>", rendered, re.DOTALL)
    assert [html.unescape(cell) for cell in cells] == [" ".join(text.split()), "1.5"]


def test_control_characters_do_not_pass() -> None:
    assert "\x1b" not in inline("a\x1b[31mred")
    assert inline("a\x00b\u2028c") == "a\ufffdb c"


def test_free_text_has_paragraphs_and_lists() -> None:
    rendered = MARKDOWN.render(free_text("First\nline.\n\nSecond:\n- one\n- *two*\nthree\n\n# No"))
    assert rendered == (
        "<p>First\nline.</p>\n<p>Second:</p>\n<ul>\n<li>one</li>\n<li>*two*\nthree</li>\n</ul>\n"
        "<p># No</p>\n"
    )


@pytest.mark.parametrize("text", ["a\n---\nb", "a\n===", "```\nx", "<div>\n\n</div>", "    code"])
def test_free_text_cannot_open_what_it_does_not_close(text: str) -> None:
    rendered = MARKDOWN.render(free_text(text) + "\n\n## Next")
    assert rendered.endswith("<h2>Next</h2>\n")
    assert set(re.findall(r"<(\w+)", rendered)) <= {"p", "h2"}


def test_a_fence_is_longer_than_those_within() -> None:
    rendered = MARKDOWN.render(code_block("a\n```\n````\nb") + "\n\nend")
    assert rendered == "<pre><code>a\n```\n````\nb\n</code></pre>\n<p>end</p>\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.5, "0.5"), (0.123456, "0.1235"), (12.34567, "12.346"), (1234567, "1,234,567"),
     (math.nan, "NaN"), (math.inf, "∞"), (-math.inf, "-∞"), (-0.002, "-0.002"), (1e20, "1e+20")],
)  # fmt: skip
def test_numbers_are_short(value: float | None, text: str) -> None:
    assert number(value) == text

"""The card as HTML that loads nothing and runs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources

import jinja2
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup

_TEMPLATE = "model_card.html"


def card_page(markdown: str, *, title: str) -> str:
    """The page of a card.

    Args:
        markdown: the card; HTML in it is shown as text.
        title: of the page.
    """
    return _template().render(title=title, card=Markup(_markdown().render(markdown)))


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_file), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template(_TEMPLATE)


def _file(name: str) -> str:
    return (resources.files(__package__) / "templates" / name).read_text(encoding="utf-8")


@cache
def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["link", "image"])
    markdown.add_render_rule("table_open", _open_table)
    markdown.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return markdown


def _open_table(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: object, env: object
) -> str:
    """A table that is wider than the screen is moved by itself, also with the keyboard."""
    number = sum(token.type == "table_open" for token in tokens[: index + 1])
    return f'<div class="scroll" role="region" aria-label="table {number}" tabindex="0"><table>\n'

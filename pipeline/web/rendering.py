"""Fills the templates; every value from the store is text, never markup."""

from __future__ import annotations

import datetime
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from pipeline.lineage import text


@cache
def environment() -> jinja2.Environment:
    """The templates of this package."""
    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "clean": text.clean,
        "duration": text.duration,
        "moment": moment,
        "num": text.number,
        "part": lambda value: quote(str(value), safe=""),
        "shortened": text.short,
        "size": text.size,
        "word": lambda value: str(value).lower().replace(" ", "-"),
    }
    return made


def render(template: str, **values: Any) -> str:
    """Fills a template.

    Args:
        template: its file name.
        values: by the names that the template uses.
    """
    return environment().get_template(template).render(**values)


def moment(milliseconds: int) -> Markup:
    """A time as an element, in the zone of the machine that serves; empty for 0."""
    if not milliseconds:
        return Markup("")
    exact = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC)
    shown = text.moment(milliseconds)
    return Markup('<time datetime="{}">{}</time>').format(
        exact.isoformat(timespec="seconds"), shown
    )


def static(name: str) -> bytes:
    """A file of the pages: style or script."""
    return (resources.files(__package__) / "static" / name).read_bytes()


def _template(name: str) -> str:
    return (resources.files(__package__) / "templates" / name).read_text(encoding="utf-8")

"""Fills the templates: pages that load nothing, in which text of the data stays text."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from pipeline.report.distribution import percent, short


def render(template: str, *, own: str = "", **values: Any) -> str:
    """Fills a template of this package; every value is escaped unless it is Markup.

    The page forbids the browser to load anything, and to run a script that is not ours.

    Args:
        template: its file name.
        own: the name of a page that has a style of its own beside that of all pages, and a script
            instead of theirs: `<own>.css` and `<own>.js`.
        values: by the names that the template uses.
    """
    script = _file(f"{own or 'page'}.js")
    style = _file("page.css") + (_file(f"{own}.css") if own else "")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        _environment()
        .get_template(template)
        .render(
            style=Markup(style),
            script=Markup(script),
            script_hash=f"sha256-{digest}",
            **values,
        )
    )


def _file(name: str) -> str:
    return (resources.files(__package__) / "templates" / name).read_text(encoding="utf-8")


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_file),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "short": short}
    return environment

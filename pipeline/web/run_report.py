"""One run on a page that needs nothing else, made of the same parts as its page in the browser."""

from __future__ import annotations

from markupsafe import Markup

from pipeline.lineage.naming import Target
from pipeline.lineage.session import Session
from pipeline.web.rendering import render, static
from pipeline.web.run_view import run_values


def run_report(session: Session, target: Target) -> str:
    """The page as HTML: it loads nothing and runs no script.

    Args:
        session: of the store.
        target: the run.

    Raises:
        NotFound: there is no such run.
    """
    values = run_values(session, target, is_alone=True)
    return render("run_report.html", **values, style=Markup(static("style.css").decode()))

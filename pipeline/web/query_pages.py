"""The pages that answer questions: compare, trace, impact, search, and what is wrong."""

from __future__ import annotations

import itertools
import shlex
from urllib.parse import quote

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from components.errors import ConfigError
from pipeline.lineage import doctor
from pipeline.lineage.graph.drawing import Box, draw
from pipeline.lineage.graph.svg import to_svg
from pipeline.lineage.models import Artifact, Execution, Graph, Run
from pipeline.lineage.naming import Target
from pipeline.lineage.queries.diff import SECTIONS, diff
from pipeline.lineage.queries.impact import impact
from pipeline.lineage.queries.search import search
from pipeline.lineage.queries.trace import trace
from pipeline.lineage.session import Session
from pipeline.lineage.verbs.search import parse_terms
from pipeline.web.rendering import render

_MAX_DRAWN = 300
_MAX_FINDINGS = 500


def compare(request: Request, session: Session) -> Response:
    """What differs between two runs, versions or models."""
    names = [request.query_params.get(key, "").strip() for key in ("a", "b")]
    found = None
    if all(names):
        found = diff(session.store, *(session.names.find(name) for name in names))
    return HTMLResponse(
        render(
            "compare.html",
            title="Compare",
            here="compare",
            names=names,
            found=found,
            sections=[
                (section, [item for item in found.differences if item.section == section])
                for section in SECTIONS
                if found.compared.get(section) or section == "metrics"
            ]
            if found is not None
            else [],
        )
    )


def trace_page(request: Request, session: Session) -> Response:
    """What something was made of."""
    target = _asked(request, session)
    found = trace(session.store, target) if target is not None else None
    return HTMLResponse(
        render(
            "trace.html",
            title=f"Trace of {target.name}" if target is not None else "Trace",
            here="trace",
            x=request.query_params.get("x", ""),
            found=found,
            picture=_picture(found.graph, f"What {found.target.name} was made of")
            if found is not None
            else None,
        )
    )


def impact_page(request: Request, session: Session) -> Response:
    """What was made of something."""
    target = _asked(request, session)
    found = impact(session.store, target) if target is not None else None
    return HTMLResponse(
        render(
            "impact.html",
            title=f"Impact of {target.name}" if target is not None else "Impact",
            here="impact",
            x=request.query_params.get("x", ""),
            found=found,
            picture=_picture(found.graph, f"What was made of {found.target.name}")
            if found is not None
            else None,
        )
    )


def search_page(request: Request, session: Session) -> Response:
    """Artifacts, executions or runs with given properties."""
    query = request.query_params.get("q", "").strip()
    found = None
    if query:
        try:
            terms = shlex.split(query)
        except ValueError as error:
            raise ConfigError(f"{query!r}: {error}. Close the quotation mark.") from error
        found = search(session.store, parse_terms(terms))
    items = found.items if found is not None else ()
    return HTMLResponse(
        render(
            "search.html",
            title="Search",
            here="search",
            query=query,
            found=found,
            artifacts=[item for item in items if isinstance(item, Artifact)],
            executions=[item for item in items if isinstance(item, Execution)],
            runs=[item for item in items if isinstance(item, Run)],
        )
    )


def doctor_page(request: Request, session: Session) -> Response:
    """What is left over, lost, changed or unknown; reads files only when it is asked to."""
    reads_files = "files" in request.query_params
    settings = doctor.Settings(
        serving=session.serving_folder,
        root=session.root if session.address.kind == "sqlite" else None,
        is_quick=not reads_files,
    )
    found = list(itertools.islice(doctor.examine(session.store, settings), _MAX_FINDINGS + 1))
    return HTMLResponse(
        render(
            "doctor.html",
            title="Doctor",
            here="doctor",
            found=found[:_MAX_FINDINGS],
            has_more=len(found) > _MAX_FINDINGS,
            reads_files=reads_files,
        )
    )


def find(request: Request, session: Session) -> Response:
    """Goes to the page of whatever a name means."""
    name = request.query_params.get("x", "").strip()
    if not name:
        raise ConfigError("Name something: live, v7, a run, artifact:12, a file, span:3.")
    return RedirectResponse(place_of(session.names.find(name)), status_code=303)


def place_of(target: Target) -> str:
    """The page of a target."""
    if target.run is not None:
        return f"/runs/{quote(target.run.id, safe='')}"
    if target.version is not None and target.served is not None:
        return f"/versions/{quote(target.served.model, safe='')}/{target.version.number}"
    if target.kind == "execution":
        return f"/executions/{target.executions[0]}"
    if len(target.artifacts) == 1:
        return f"/artifacts/{target.artifacts[0]}"
    return f"/impact?x={quote(target.name, safe='')}"


def _asked(request: Request, session: Session) -> Target | None:
    name = request.query_params.get("x", "").strip()
    return session.names.find(name) if name else None


def _picture(graph: Graph, title: str) -> Markup | None:
    """The graph, whose boxes lead to their pages; None where there is too much to draw."""
    if not graph.executions or len(graph.executions) > _MAX_DRAWN:
        return None
    return Markup(to_svg(draw(graph, title), link=_link, is_inline=True))


def _link(box: Box) -> str:
    kind, _, number = box.id.partition("-")
    return f"/{kind}s/{number}"

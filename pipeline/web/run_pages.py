"""The pages of runs: the table, one run with its graph, one execution."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from pipeline.lineage.queries import states
from pipeline.lineage.queries.runs import Filter, list_runs
from pipeline.lineage.queries.show import show
from pipeline.lineage.session import Session
from pipeline.lineage.times import parse_time
from pipeline.web.rendering import render
from pipeline.web.run_view import log_tail, mark_of, run_values

PAGE_SIZE = 25
STATES = (
    "pushed",
    "not good enough",
    "not servable",
    "data rejected",
    "failed",
    "running",
    "complete",
    "canceled",
)


def runs(request: Request, session: Session) -> Response:
    """The table of runs, newest first, with filters; `?state-only=1` gives what it depends on."""
    given = request.query_params
    asked = {key: given.get(key, "").strip() for key in ("pipeline", "state", "since")}
    number = int(given["page"]) if given.get("page", "").isdecimal() else 1
    number = max(1, number)
    wanted = Filter(
        pipeline=asked["pipeline"] or None,
        state=asked["state"] or None,
        since_ms=parse_time(asked["since"], flag="since") if asked["since"] else None,
    )
    page = list_runs(session.store, wanted, limit=PAGE_SIZE, skip=(number - 1) * PAGE_SIZE)
    mark = mark_of(page.rows)
    if "state-only" in given:
        return JSONResponse({"mark": mark})
    kept = {key: value for key, value in asked.items() if value}
    return HTMLResponse(
        render(
            "runs.html",
            title="Runs",
            here="runs",
            rows=page.rows,
            asked=asked,
            is_filtered=bool(kept),
            states=STATES,
            address=str(session.address),
            before=_query({**kept, "page": number - 1}) if number > 1 else None,
            after=_query({**kept, "page": number + 1}) if page.has_more else None,
            number=number,
            live=f"/runs?{_query({**kept, 'page': number})}&state-only=1",
            mark=mark,
        )
    )


def run(request: Request, session: Session) -> Response:
    """One run: what came of it, its graph, its nodes."""
    target = session.names.find(f"run:{request.path_params['run']}")
    values = run_values(session, target, with_artifacts="artifacts" in request.query_params)
    if "state-only" in request.query_params:
        return JSONResponse({"mark": values["mark"]})
    return HTMLResponse(render("run.html", **values, here="runs"))


def execution(request: Request, session: Session) -> Response:
    """One execution: what it read and wrote, its properties, and what its log says."""
    number = request.path_params["number"]
    shown = show(session.store, session.names.find(f"execution:{number}"))
    assert shown.execution is not None
    return HTMLResponse(
        render(
            "execution.html",
            title=f"{shown.execution.node} {number}",
            here="runs",
            item=shown.execution,
            error=states.error_of(shown.execution),
            log=log_tail(session, [shown.execution]),
        )
    )


def _query(values: dict[str, Any]) -> str:
    return urlencode(values)

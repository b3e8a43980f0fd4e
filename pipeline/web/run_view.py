"""What the page of a run shows, in the browser and on a page of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from pipeline.lineage.errors import NotFound
from pipeline.lineage.graph.drawing import draw
from pipeline.lineage.graph.svg import to_svg
from pipeline.lineage.models import Execution
from pipeline.lineage.naming import Target
from pipeline.lineage.queries import states
from pipeline.lineage.queries.runs import RunRow
from pipeline.lineage.queries.show import show
from pipeline.lineage.queries.why import why
from pipeline.lineage.session import Session
from pipeline.recording import names

_LOG_LINES = 60
_LOG_BYTES = 200_000


def run_values(
    session: Session, target: Target, *, with_artifacts: bool = False, is_alone: bool = False
) -> dict[str, Any]:
    """What the page of a run shows.

    Args:
        session: of the store.
        target: the run.
        with_artifacts: draws artifacts, too.
        is_alone: the page will be on its own, so that its links lead nowhere else.
    """
    shown = show(session.store, target)
    row, graph = shown.row, shown.graph
    if row is None or graph is None:
        raise NotFound(f"{target.name}: there is no run of this id.")
    drawn = draw(graph, f"Run {row.run.id}", executions_only=not with_artifacts)
    picture = to_svg(drawn, link=lambda box: f"#{box.id}", is_inline=True)
    executions = [graph.executions[item.id] for item in row.run.executions]
    quoted = quote(row.run.id, safe="")
    return {
        "title": f"Run {row.run.id}",
        "row": row,
        "picture": Markup(picture) if drawn.boxes else None,
        "with_artifacts": with_artifacts,
        "executions": executions,
        "artifacts": sorted(graph.artifacts.values(), key=lambda item: item.id),
        "told": why(session.store, target),
        "errors": {item.id: states.error_of(item) for item in executions},
        "facts": facts_of(row),
        "log": log_tail(session, executions) if not is_alone else [],
        "live": f"/runs/{quoted}?state-only=1",
        "mark": mark_of([row]),
        "is_alone": is_alone,
    }


def facts_of(row: RunRow) -> list[tuple[str, str]]:
    """What a run recorded of how it was made, as names and values."""
    run = row.run
    known = {
        "configuration": run.text(names.CONFIG_HASH)[:12],
        "git commit": run.text(names.GIT),
        "command": run.text(names.COMMAND),
        "host": run.text(names.HOST),
        "Python": run.text(names.PYTHON),
        "seed": run.text(names.SEED),
        "root": run.text(names.ROOT),
    }
    return [(name, value) for name, value in known.items() if value]


def log_tail(session: Session, executions: Sequence[Execution]) -> list[str]:
    """The last lines of the run's log, if it lies where a run of this store writes its logs."""
    folder = (session.root / "logs").resolve()
    for item in reversed(executions):
        path = Path(item.text(names.LOG) or "/").resolve()
        if session.address.kind == "sqlite" and path.is_relative_to(folder) and path.is_file():
            with path.open("rb") as reader:
                reader.seek(max(0, path.stat().st_size - _LOG_BYTES))
                lines = reader.read().decode(errors="replace").splitlines()
            return lines[-_LOG_LINES:]
    return []


def mark_of(rows: Sequence[RunRow]) -> str:
    """Differs once anything that the page shows of these runs has changed."""
    told = [
        (row.run.id, row.run.state, row.decision, [(e.id, e.state) for e in row.run.executions])
        for row in rows
    ]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]

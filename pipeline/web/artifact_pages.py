"""The pages of artifacts: what each type of them is, as far as its files are on this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from components.model_card.files import EVALUATION_FILE, HTML_FILE
from pipeline.lineage import checksums
from pipeline.lineage.models import Artifact
from pipeline.lineage.queries.show import show
from pipeline.lineage.session import Session
from pipeline.web import contents, guard
from pipeline.web.contents import Part
from pipeline.web.rendering import render

TRAINING_FILE = "training.html"
_MAX_FILES = 200
_MAX_PAGE_BYTES = 32 * 2**20
# A page that others wrote may run no script at all.
_SCRIPTLESS = guard.CLOSED.replace("sandbox allow-scripts", "sandbox").replace(
    "script-src 'unsafe-inline'; ", ""
)

_PARTS: Mapping[str, Callable[[Artifact], list[Part]]] = {
    "Examples": contents.examples,
    "ExampleStatistics": contents.statistics,
    "Schema": contents.schema,
    "ExampleAnomalies": contents.anomalies,
    "TransformGraph": contents.vocabularies,
    "DataBlessing": contents.findings,
    "ModelEvaluation": contents.evaluation,
    "ModelRun": contents.curves,
}
# What can be seen whole in a frame, and whether it needs a script of its own.
_PAGES: Mapping[str, tuple[str, bool]] = {
    "ModelEvaluation": (EVALUATION_FILE, True),
    "ModelCard": (HTML_FILE, False),
    "ModelRun": (TRAINING_FILE, False),
}


def artifact(request: Request, session: Session) -> Response:
    """One artifact: what it is, who made it, who read it, its properties and files."""
    number = request.path_params["number"]
    shown = show(session.store, session.names.find(f"artifact:{number}"))
    [item] = shown.artifacts
    found = item.artifact
    folder = checksums.local_path(found.uri)
    is_here = folder is not None and folder.exists()
    page = _PAGES.get(found.type)
    has_page = page is not None and _file(found, page[0]) is not None
    return HTMLResponse(
        render(
            "artifact.html",
            title=f"{found.type} {number}",
            here="runs",
            item=item,
            artifact=found,
            contents=_PARTS[found.type](found) if found.type in _PARTS and is_here else [],
            files=_files(folder) if folder is not None and is_here else None,
            has_page=has_page,
            may_run=has_page and page is not None and page[1],
            max_files=_MAX_FILES,
        )
    )


def whole_page(request: Request, session: Session) -> Response:
    """What an artifact shows of itself, closed off from these pages."""
    number = request.path_params["number"]
    found = session.store.artifacts_by_id([number]).get(number)
    page = _PAGES.get(found.type) if found is not None else None
    path = _file(found, page[0]) if found is not None and page is not None else None
    if found is None or page is None or path is None:
        raise HTTPException(404)
    headers = {"content-security-policy": guard.CLOSED if page[1] else _SCRIPTLESS}
    if found.type != "ModelEvaluation":
        return Response(path.read_bytes(), media_type="text/html", headers=headers)
    # What draws takes a moment to import.
    from components.model_card.evaluated import read_evaluation
    from pipeline.report.model_page import Model, model_page

    name = session.store.placed(
        session.store.executions_by_id(
            edge.execution for edge in session.store.edges_of_artifacts([number]) if edge.is_output
        ).values()
    )
    pipeline = next((item.pipeline for item in name.values() if item.pipeline), "")
    text = model_page(read_evaluation(path.parent), Model(name=pipeline, artifact=None))
    return HTMLResponse(text, headers=headers)


def _file(found: Artifact, name: str) -> Path | None:
    """A file of an artifact, if it is really below it, and not too large to show."""
    folder = checksums.local_path(found.uri)
    if folder is None:
        return None
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        return None
    return path if path.stat().st_size <= _MAX_PAGE_BYTES else None


def _files(folder: Path) -> list[dict[str, Any]]:
    """The files of an artifact by name; no more than a page should hold."""
    if folder.is_file():
        return [{"name": folder.name, "bytes": folder.stat().st_size}]
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            name = path.relative_to(folder).as_posix()
            found.append({"name": name, "bytes": path.stat().st_size})
        if len(found) > _MAX_FILES:
            break
    return found

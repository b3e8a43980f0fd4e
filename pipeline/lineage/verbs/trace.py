"""`trace`: what something was made of, down to the raw files."""

from __future__ import annotations

import argparse
import json
from typing import Any

from pipeline.lineage import as_json, text
from pipeline.lineage.models import Run
from pipeline.lineage.queries.trace import DataSource, Trace, trace
from pipeline.lineage.session import Session
from pipeline.lineage.sources import num_rows
from pipeline.lineage.verbs import common
from pipeline.recording import names

_FILES_SHOWN = 20
# What decides most about a model; --json has all of them.
_LIBRARIES = ("tfx", "tensorflow", "keras", "apache-beam", "tensorflow-transform", "numpy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    common.add_name(parser)
    parser.add_argument(
        "--full", action="store_true", help="print whole configurations and all libraries"
    )


def run(args: argparse.Namespace, session: Session) -> int:
    """Prints where the thing comes from; 1 when the store knows nothing of that."""
    found = trace(session.store, session.names.find(args.x))
    if session.as_json:
        session.print_json(_json(found))
    else:
        _print(found, session, is_whole=args.full)
    return 0 if found.graph.executions else 1


def _json(found: Trace) -> dict[str, Any]:
    return {
        "target": as_json.target(found.target),
        "data": [
            {
                "artifact": source.artifact.id,
                "execution": source.execution.id if source.execution is not None else None,
                "uri": source.artifact.uri,
                "span": source.span or None,
                "fingerprint": source.fingerprint or None,
                "rows": num_rows(source.artifact),
                "folder": source.folder or None,
                "files": [
                    {
                        "path": file.path,
                        "bytes": file.num_bytes if file.num_bytes >= 0 else None,
                        "sha256": file.sha256 or None,
                        "rows": file.num_rows if file.num_rows >= 0 else None,
                    }
                    for file in source.files
                ],
            }
            for source in found.data
        ],
        "schemas": [as_json.artifact(item) for item in found.schemas],
        "code": dict(found.code),
        "runs": [
            as_json.run(item)
            | {"libraries": found.libraries(item), "configuration": _configuration(item)}
            for item in found.runs
        ],
        "graph": as_json.graph(found.graph),
    }


def _print(found: Trace, session: Session, *, is_whole: bool) -> None:
    console = session.console
    common.print_notes(console, found.target)
    if not found.graph.executions:
        text.line(console, f"the store does not know what made {found.target.name}")
        return
    text.heading(console, "data")
    for source in found.data:
        _print_source(source, session)
    if not found.data:
        text.line(console, "the store does not say which data it was made of")
    if found.schemas:
        text.heading(console, "schema")
        common.print_artifacts(console, [("", item) for item in found.schemas])
    text.heading(console, "executions, oldest first")
    text.print_table(
        console,
        ["execution", "node", "state", "took", "code", "run"],
        [
            [
                str(item.id),
                text.clean(item.node),
                text.styled(item.state),
                text.duration(item.seconds),
                text.hash_start(item.text("waybill_code")),
                text.clean(item.run),
            ]
            for item in found.graph.executions.values()
        ],
        right=["execution", "took"],
        folded=["run"],
    )
    for item in found.runs:
        _print_run(item, found, session, is_whole=is_whole)
    if found.graph.is_cut:
        text.line(console, "more than is shown: the limit of executions was reached", "yellow")


def _print_source(source: DataSource, session: Session) -> None:
    rows = num_rows(source.artifact)
    text.print_facts(
        session.console,
        [
            ("examples", f"artifact:{source.artifact.id} {source.artifact.uri}"),
            ("span", source.span),
            ("rows", ", ".join(f"{split} {number:,}" for split, number in rows.items())),
            ("fingerprint", source.fingerprint),
            ("folder", source.folder if not source.files else ""),
        ],
    )
    if source.files:
        text.print_table(
            session.console,
            ["  file", "size", "rows", "sha256"],
            [
                [
                    f"  {text.clean(file.path)}",
                    text.size(file.num_bytes),
                    f"{file.num_rows:,}" if file.num_rows >= 0 else "",
                    text.hash_start(file.sha256),
                ]
                for file in source.files[:_FILES_SHOWN]
            ],
            right=["size", "rows"],
            folded=["  file"],
        )
    if len(source.files) > _FILES_SHOWN:
        rest = len(source.files) - _FILES_SHOWN
        text.line(session.console, f"  … and {rest} more; --json lists them all", "dim")


def _print_run(item: Run, found: Trace, session: Session, *, is_whole: bool) -> None:
    libraries = found.libraries(item)
    shown = [
        f"{name} {libraries[name]}"
        for name in (sorted(libraries) if is_whole else _LIBRARIES)
        if name in libraries
    ]
    text.heading(session.console, f"run {text.clean(item.id)}")
    text.print_facts(
        session.console,
        [
            ("started", text.moment(item.started_ms)),
            ("command", item.text(names.COMMAND)),
            ("commit", item.text(names.GIT)),
            ("configuration", item.text(names.CONFIG) if is_whole else ""),
            ("configuration hash", item.text(names.CONFIG_HASH)),
            ("python", item.text(names.PYTHON)),
            ("libraries", ", ".join(shown)),
            ("host", item.text(names.HOST)),
            ("seed", item.text(names.SEED)),
        ],
    )


def _configuration(item: Run) -> Any:
    try:
        return json.loads(item.text(names.CONFIG) or "null")
    except ValueError:
        return None

"""`show`: one thing with its surroundings."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.lineage import as_json, text
from pipeline.lineage.models import Artifact, Execution
from pipeline.lineage.queries.show import Shown, ShownArtifact, show
from pipeline.lineage.session import Session
from pipeline.lineage.verbs import common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    common.add_name(parser)
    parser.add_argument("--full", action="store_true", help="print long properties whole")


def run(args: argparse.Namespace, session: Session) -> int:
    """Prints what there is to say."""
    shown = show(session.store, session.names.find(args.x))
    if session.as_json:
        session.print_json(_json(shown))
        return 0
    common.print_notes(session.console, shown.target)
    if shown.target.kind == "version":
        _print_version(shown, session)
    elif shown.row is not None:
        _print_run(shown, session)
    elif shown.execution is not None:
        _print_execution(shown.execution, session, is_whole=args.full)
    else:
        for item in shown.artifacts:
            _print_artifact(item, session, is_whole=args.full)
    return 0


def _json(shown: Shown) -> dict[str, Any]:
    found: dict[str, Any] = {"target": as_json.target(shown.target)}
    if shown.target.version is not None:
        version = shown.target.version
        served = shown.target.served
        found["version"] = {
            "model": served.model if served is not None else None,
            "number": version.number,
            "labels": served.labels_of(version.number) if served is not None else [],
            "path": str(version.path),
            "created": version.created,
            "sha256": version.sha256,
            "bytes": version.size_bytes,
            "files": len(version.files),
            "properties": dict(version.properties),
        }
    if shown.model is not None:
        found["model"] = as_json.artifact(shown.model)
    if shown.row is not None:
        found["run"] = as_json.row(shown.row)
    if shown.graph is not None and shown.row is not None:
        found["run"]["properties"] = dict(shown.row.run.properties)
        found["graph"] = as_json.graph(shown.graph)
    if shown.execution is not None:
        found["execution"] = as_json.execution(shown.execution)
        found["artifacts"] = [as_json.artifact(item) for _, item in _channels(shown.execution)]
    if shown.artifacts:
        found["artifacts"] = [
            {
                "artifact": as_json.artifact(item.artifact),
                "producer": as_json.execution(item.producer, with_artifacts=False)
                if item.producer is not None
                else None,
                "readers": [as_json.execution(e, with_artifacts=False) for e in item.readers],
                "num_readers": item.num_readers,
            }
            for item in shown.artifacts
        ]
    return found


def _print_run(shown: Shown, session: Session) -> None:
    assert shown.row is not None
    common.print_row(session.console, shown.row)
    text.heading(session.console, "executions")
    common.print_executions(session.console, shown.row.run.executions)


def _print_version(shown: Shown, session: Session) -> None:
    version, served = shown.target.version, shown.target.served
    if version is not None and served is not None:
        text.print_facts(
            session.console,
            [
                ("model", served.model),
                ("version", str(version.number)),
                ("labels", ", ".join(served.labels_of(version.number))),
                ("pushed", version.created),
                ("folder", str(version.path)),
                ("size", f"{text.size(version.size_bytes)} in {len(version.files)} files"),
                ("sha256", version.sha256),
            ],
        )
    common_rows = [("pushed as", item.artifact) for item in shown.artifacts]
    if shown.model is not None:
        common_rows.insert(0, ("made of", shown.model))
    if common_rows:
        text.heading(session.console, "in the store")
        common.print_artifacts(session.console, common_rows)
    if shown.row is not None:
        text.heading(session.console, "its run")
        common.print_row(session.console, shown.row)


def _print_execution(item: Execution, session: Session, *, is_whole: bool) -> None:
    text.print_facts(
        session.console,
        [
            ("execution", str(item.id)),
            ("node", item.node),
            ("type", item.type),
            ("pipeline", item.pipeline),
            ("run", item.run),
            ("state", text.styled(item.state)),
            ("started", text.moment(item.started_ms)),
            ("took", text.duration(item.seconds)),
        ],
    )
    text.heading(session.console, "inputs and outputs")
    common.print_artifacts(session.console, _channels(item))
    text.heading(session.console, "properties")
    common.print_properties(session.console, item.properties, is_whole=is_whole)


def _print_artifact(item: ShownArtifact, session: Session, *, is_whole: bool) -> None:
    artifact = item.artifact
    text.print_facts(
        session.console,
        [
            ("artifact", str(artifact.id)),
            ("type", artifact.type),
            ("name", artifact.name),
            ("uri", artifact.uri),
            ("state", artifact.state),
            ("recorded", text.moment(artifact.created_ms)),
        ],
    )
    text.heading(session.console, "properties")
    common.print_properties(session.console, artifact.properties, is_whole=is_whole)
    if item.producer is not None:
        text.heading(session.console, "made by")
        common.print_executions(session.console, [item.producer])
    if item.readers:
        title = f"read or reused by {item.num_readers}"
        newest = (
            "" if item.num_readers == len(item.readers) else f", the newest {len(item.readers)}"
        )
        text.heading(session.console, title + newest)
        common.print_executions(session.console, item.readers)
    session.console.print()


def _channels(item: Execution) -> list[tuple[str, Artifact]]:
    return [
        (f"{direction} {key}", artifact)
        for direction, channels in (("read", item.inputs), ("wrote", item.outputs))
        for key, artifacts in channels.items()
        for artifact in artifacts
    ]

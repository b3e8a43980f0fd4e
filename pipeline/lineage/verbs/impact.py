"""`impact`: every model and pushed version that something went into."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.lineage import as_json, text
from pipeline.lineage.queries.impact import Impact, Touched, impact
from pipeline.lineage.session import Session
from pipeline.lineage.verbs import common

_SHOWN = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    common.add_name(parser)


def run(args: argparse.Namespace, session: Session) -> int:
    """Prints what was made of the thing; 1 when no model was."""
    found = impact(session.store, session.names.find(args.x))
    labels = _labels(session)
    if session.as_json:
        session.print_json(_json(found, labels))
    else:
        _print(found, labels, session)
    return 0 if found.models or found.pushed else 1


def _labels(session: Session) -> dict[str, list[str]]:
    """The folder of each labelled version to its labels."""
    from pipeline.lineage import served

    found: dict[str, list[str]] = {}
    for base in served.models(session.serving_folder):
        model = served.read(session.serving_folder, base.name)
        for label, number in model.labels.items():
            found.setdefault(str((base / str(number)).absolute()), []).append(label)
    return found


def _json(found: Impact, labels: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    return {
        "target": as_json.target(found.target),
        "models": [_touched(item) for item in found.models],
        "pushed": [
            _touched(item)
            | {
                "version": item.artifact.text("pushed_version") or None,
                "destination": item.artifact.text("pushed_destination") or None,
                "labels": list(_labels_of(item, labels)),
            }
            for item in found.pushed
        ],
        "refused": [_touched(item) for item in found.refused],
        "num_executions": found.num_executions,
        "num_artifacts": found.num_artifacts,
        "graph": as_json.graph(found.graph),
    }


def _touched(item: Touched) -> dict[str, Any]:
    made_by = item.execution
    return {
        "artifact": item.artifact.id,
        "uri": item.artifact.uri,
        "execution": made_by.id if made_by is not None else None,
        "node": made_by.node if made_by is not None else None,
        "run": made_by.run if made_by is not None else None,
        "time": as_json.time(item.artifact.created_ms),
    }


def _print(found: Impact, labels: Mapping[str, Sequence[str]], session: Session) -> None:
    console = session.console
    common.print_notes(console, found.target)
    text.line(
        console,
        f"{found.target.name} went into {len(found.models):,} models and {len(found.pushed):,} "
        f"pushed versions; {found.num_executions:,} executions used it, and "
        f"{max(0, found.num_artifacts - len(found.target.artifacts)):,} artifacts were made of it",
        "bold",
    )
    if found.pushed:
        text.heading(console, "pushed versions")
        text.print_table(
            console,
            ["version", "labels", "pushed", "run", "folder"],
            [
                [
                    text.clean(item.artifact.text("pushed_version")),
                    text.clean(", ".join(_labels_of(item, labels))),
                    text.moment(item.artifact.created_ms),
                    text.clean(item.execution.run if item.execution is not None else ""),
                    text.clean(item.artifact.text("pushed_destination")),
                ]
                for item in found.pushed[-_SHOWN:]
            ],
            right=["version"],
            folded=["run", "folder"],
        )
    if found.models:
        text.heading(console, "models")
        text.print_table(
            console,
            ["artifact", "made", "run", "uri"],
            [
                [
                    str(item.artifact.id),
                    text.moment(item.artifact.created_ms),
                    text.clean(item.execution.run if item.execution is not None else ""),
                    text.clean(item.artifact.uri),
                ]
                for item in found.models[-_SHOWN:]
            ],
            right=["artifact"],
            folded=["run", "uri"],
        )
    if max(len(found.models), len(found.pushed)) > _SHOWN:
        text.line(console, f"the newest {_SHOWN} of each; --json lists them all", "dim")


def _labels_of(item: Touched, labels: Mapping[str, Sequence[str]]) -> Sequence[str]:
    return labels.get(item.artifact.text("pushed_destination"), ())

"""Our values as JSON: the same names in every answer, times in UTC, and no secrets added.

The shapes are told in docs/guide/lineage.md; a name is never given another meaning.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.lineage.models import Artifact, Execution, Graph, Run
from pipeline.lineage.naming import Target
from pipeline.lineage.queries.runs import RunRow

Json = dict[str, Any]


def time(milliseconds: int) -> str | None:
    """ISO 8601 in UTC; None for 0."""
    if not milliseconds:
        return None
    moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def artifact(item: Artifact) -> Json:
    """An artifact with its properties."""
    return {
        "id": item.id,
        "type": item.type,
        "name": item.name,
        "uri": item.uri,
        "state": item.state,
        "created": time(item.created_ms),
        "updated": time(item.updated_ms),
        "properties": dict(item.properties),
    }


def execution(item: Execution, *, with_artifacts: bool = True) -> Json:
    """An execution with its properties, and the numbers of what it read and wrote."""
    found: Json = {
        "id": item.id,
        "node": item.node,
        "type": item.type,
        "pipeline": item.pipeline,
        "run": item.run,
        "state": item.state,
        "started": time(item.started_ms),
        "ended": time(item.updated_ms) if item.seconds is not None else None,
        "seconds": item.seconds,
        "properties": dict(item.properties),
    }
    if with_artifacts:
        found["inputs"] = _numbers(item.inputs)
        found["outputs"] = _numbers(item.outputs)
    return found


def run(item: Run, *, with_properties: bool = True) -> Json:
    """A run without its executions."""
    found: Json = {
        "id": item.id,
        "pipeline": item.pipeline,
        "state": item.state,
        "started": time(item.started_ms),
        "ended": time(item.ended_ms),
    }
    if with_properties:
        found["properties"] = dict(item.properties)
    return found


def row(item: RunRow) -> Json:
    """A run as in a list."""
    return run(item.run, with_properties=False) | {
        "seconds": item.seconds,
        "decision": item.decision,
        "reason": item.reason,
        "metrics": dict(item.metrics),
        "version": item.version or None,
        "cached": item.num_cached,
        "executions": len(item.run.executions),
    }


def graph(item: Graph) -> Json:
    """A graph: executions, artifacts, and the edges between them."""
    return {
        "roots": list(item.roots),
        "is_cut": item.is_cut,
        "executions": [execution(e, with_artifacts=False) for e in item.executions.values()],
        "artifacts": [artifact(a) for a in item.artifacts.values()],
        "edges": [
            {
                "execution": edge.execution,
                "artifact": edge.artifact,
                "direction": "output" if edge.is_output else "input",
                "key": edge.key,
                "index": edge.index,
            }
            for edge in item.edges
        ],
    }


def target(item: Target) -> Json:
    """What a name was understood to mean."""
    return {
        "name": item.name,
        "kind": item.kind,
        "artifacts": list(item.artifacts),
        "executions": list(item.executions),
        "run": item.run.id if item.run is not None else None,
        "version": item.version.number if item.version is not None else None,
        "model": item.served.model if item.served is not None else None,
        "notes": list(item.notes),
    }


def _numbers(channels: Mapping[str, Iterable[Artifact]]) -> dict[str, list[int]]:
    return {key: [item.id for item in items] for key, items in channels.items()}

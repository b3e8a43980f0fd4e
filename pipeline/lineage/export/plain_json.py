"""A graph as our own JSON: everything that is known, in one object.

    version      1; grows when a field changes its meaning or goes
    store        where it was read
    runs         the runs that the executions belong to
    roots, is_cut, executions, artifacts, edges    as `--json` prints them, see `as_json.graph`

Numbers that JSON has no form for, such as NaN, are text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.lineage import as_json
from pipeline.lineage.export.identity import json_value
from pipeline.lineage.models import Graph, Run

VERSION = 1


def to_json(graph: Graph, runs: Iterable[Run], store: str) -> dict[str, Any]:
    """The graph as one JSON object.

    Args:
        graph: what to write.
        runs: those that its executions belong to.
        store: where it was read.
    """
    found: dict[str, Any] = _clean(
        {
            "version": VERSION,
            "store": store,
            "runs": [as_json.run(run) for run in runs],
            **as_json.graph(graph),
        }
    )
    return found


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {json_value(name): _clean(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_clean(inner) for inner in value]
    return json_value(value)

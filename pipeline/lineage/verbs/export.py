"""`export [X]`: writes runs, or the lineage of something, for other tools."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from pipeline.lineage.verbs.numbers import at_least_one

if TYPE_CHECKING:
    from pipeline.lineage.models import Graph, Run
    from pipeline.lineage.session import Session

FORMATS = ("openlineage", "prov-json", "json")
_RUNS, _LIMIT = 20, 10_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the verb."""
    parser.add_argument(
        "name", metavar="X", nargs="?", default=None, help="what to write (the newest runs)"
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="openlineage",
        help="OpenLineage's run events, one JSON object a line; PROV-JSON; or all as JSON",
    )
    parser.add_argument(
        "--direction",
        choices=("own", "up", "down", "both"),
        default="own",
        help="of X: what it was made of, what was made of it, or what is most telling (own)",
    )
    parser.add_argument(
        "--runs",
        type=at_least_one,
        default=_RUNS,
        metavar="N",
        help=f"without X: of N runs ({_RUNS})",
    )
    parser.add_argument(
        "--limit",
        type=at_least_one,
        default=_LIMIT,
        metavar="N",
        help=f"of X: write at most N executions ({_LIMIT})",
    )
    parser.add_argument("--namespace", default=None, help="of OpenLineage's jobs (waybill)")
    parser.add_argument("--out", metavar="FILE", help="write to a file")


def run(args: argparse.Namespace, session: Session) -> int:
    """Writes; returns the exit code."""
    from pipeline.lineage.errors import NotFound
    from pipeline.lineage.graph import selection
    from pipeline.lineage.verbs.output import write

    if args.name is None:
        runs = selection.newest_runs(session.store, args.runs)
        if not runs:
            raise NotFound("The store has no run yet. Run the pipeline, or name another --store.")
        graph = selection.of_runs(session.store, runs)
    else:
        target = session.names.find(args.name)
        graph = selection.select(session.store, target, args.direction, limit=args.limit)
        runs = selection.runs_of(session.store, graph)
    form = "json" if session.as_json else args.format
    write(_written(graph, runs, str(session.address), form, args.namespace), args.out)
    return 0


def _written(graph: Graph, runs: list[Run], store: str, form: str, namespace: str | None) -> str:
    if form == "openlineage":
        from pipeline.lineage.export import openlineage

        events = openlineage.to_events(
            graph, runs, store, namespace=namespace or openlineage.NAMESPACE
        )
        # ASCII, so that no character inside a string can pass for the end of a line.
        return "".join(json.dumps(event, allow_nan=False) + "\n" for event in events)
    if form == "prov-json":
        from pipeline.lineage.export.prov import to_prov

        return json.dumps(to_prov(graph, runs, store), indent=2, allow_nan=False) + "\n"
    from pipeline.lineage.export.plain_json import to_json

    return json.dumps(to_json(graph, runs, store), indent=2, allow_nan=False) + "\n"

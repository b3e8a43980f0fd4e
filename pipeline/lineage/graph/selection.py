"""Which part of the store a graph or an export shows."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Literal

from pipeline.lineage import walk
from pipeline.lineage.errors import NotFound
from pipeline.lineage.models import Graph, Run
from pipeline.lineage.naming import Names, Target
from pipeline.lineage.queries import states
from pipeline.lineage.queries.impact import impact
from pipeline.lineage.queries.trace import trace
from pipeline.lineage.reader import Reader

Direction = Literal["own", "up", "down", "both"]


def select(reader: Reader, target: Target, direction: Direction, *, limit: int) -> Graph:
    """The graph of a target.

    Args:
        reader: of the store.
        target: a run, or anything else that has a name.
        direction: `up` to what it was made of, `down` to what was made of it, `both`, or `own`: a
            run's own executions with what they read and wrote, of anything else what it was made
            of, and of data what was made of it.
        limit: of executions.
    """
    if direction == "own":
        if target.run is not None:
            return of_runs(reader, [target.run])
        direction = "down" if target.kind == "data" else "up"
    graphs = []
    if direction in ("up", "both"):
        graphs.append(trace(reader, target, limit=limit).graph)
    if direction in ("down", "both"):
        graphs.append(impact(reader, target, limit=limit).graph)
    return join(graphs)


def target(reader: Reader, names: Names, name: str | None) -> Target:
    """What a name means; without one, the newest run.

    Raises:
        NotFound: the store has nothing of that name, or no run.
        ConfigError: the name means more than one thing.
    """
    if name is not None:
        return names.find(name)
    run = next(iter(reader.runs()), None)
    if run is None:
        raise NotFound("The store has no run yet. Run the pipeline, or name another --store.")
    return Target(name=run.id, kind="run", run=run)


def leads_up(target: Target, direction: Direction) -> bool:
    """Whether the graph of a target is best read from its end."""
    return direction == "up" or (direction == "own" and target.kind not in ("run", "data"))


def of_runs(reader: Reader, runs: Iterable[Run]) -> Graph:
    """The executions of runs, with all that they read and wrote."""
    executions = [item for run in runs for item in reader.executions_of_run(run)]
    edges = reader.edges_of_executions(item.id for item in executions)
    artifacts = reader.artifacts_by_id({edge.artifact for edge in edges})
    return walk.make_graph(reader, executions, artifacts, edges)


def newest_runs(reader: Reader, limit: int) -> list[Run]:
    """The newest runs, oldest first, with their state and end."""
    return [_complete(reader, run) for run in reversed(list(islice(reader.runs(), limit)))]


def runs_of(reader: Reader, graph: Graph) -> list[Run]:
    """The runs that a graph's executions belong to, oldest first, with their state and end."""
    ids = dict.fromkeys(item.run for item in graph.executions.values() if item.run)
    found = [run for run in map(reader.run, ids) if run is not None]
    return [_complete(reader, run) for run in sorted(found, key=lambda run: run.context)]


def join(graphs: Iterable[Graph]) -> Graph:
    """All members of several graphs, each once."""
    graphs = list(graphs)
    if len(graphs) == 1:
        return graphs[0]
    edges = {
        (edge.execution, edge.artifact, edge.is_output, edge.key): edge
        for graph in graphs
        for edge in graph.edges
    }
    return Graph(
        executions={k: v for graph in graphs for k, v in graph.executions.items()},
        artifacts={k: v for graph in graphs for k, v in graph.artifacts.items()},
        edges=tuple(edges.values()),
        roots=tuple(dict.fromkeys(root for graph in graphs for root in graph.roots)),
        is_cut=any(graph.is_cut for graph in graphs),
    )


def _complete(reader: Reader, run: Run) -> Run:
    return states.complete(run, reader.executions_of_run(run))

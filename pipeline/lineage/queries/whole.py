"""A run as a whole: its executions with their artifacts, as a graph."""

from __future__ import annotations

from dataclasses import replace

from pipeline.lineage.errors import NotFound
from pipeline.lineage.models import Graph, Run
from pipeline.lineage.naming import Target
from pipeline.lineage.queries import states
from pipeline.lineage.reader import Reader
from pipeline.lineage.walk import make_graph


def whole_run(reader: Reader, run: Run) -> tuple[Run, Graph]:
    """The run with its executions, state and end, and all they read and wrote."""
    executions = reader.executions_of_run(run)
    edges = reader.edges_of_executions(item.id for item in executions)
    artifacts = reader.artifacts_by_id(edge.artifact for edge in edges)
    graph = make_graph(reader, executions, artifacts, edges, roots=[f"run:{run.id}"])
    # What was asked for already says which run: older stores may not say it of an execution.
    members = [
        replace(item, run=run.id, pipeline=item.pipeline or run.pipeline)
        for item in graph.executions.values()
    ]
    graph = replace(graph, executions={item.id: item for item in members})
    pipeline = run.pipeline or next((item.pipeline for item in members if item.pipeline), "")
    return states.complete(replace(run, pipeline=pipeline), members), graph


def run_of(reader: Reader, target: Target) -> Run:
    """The run that a target is, or was made in.

    Raises:
        NotFound: the store does not say.
    """
    if target.run is not None:
        return target.run
    numbers = set(target.executions)
    if not numbers:
        makers: dict[int, int] = {}
        for edge in reader.edges_of_artifacts(target.artifacts):
            if edge.is_output:
                earlier = makers.get(edge.artifact, edge.execution)
                makers[edge.artifact] = min(edge.execution, earlier)
        numbers = set(makers.values())
    for item in reader.placed(reader.executions_by_id(numbers).values()).values():
        run = reader.run(item.run) if item.run else None
        if run is not None:
            return run
    raise NotFound(f"{target.name}: the store does not say which run made it.")

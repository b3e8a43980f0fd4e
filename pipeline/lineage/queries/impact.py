"""Downstream: every model and pushed version that something went into."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.lineage import walk
from pipeline.lineage.models import Artifact, Execution, Graph
from pipeline.lineage.naming import Target
from pipeline.lineage.reader import Reader

MODEL, PUSHED = "Model", "PushedModel"


@dataclass(frozen=True, kw_only=True)
class Touched:
    """A model or a push, and the execution that made it."""

    artifact: Artifact
    execution: Execution | None

    @property
    def is_pushed(self) -> bool:
        """Whether a version was really published."""
        return self.artifact.type == PUSHED and self.artifact.text("pushed") == "1"


@dataclass(frozen=True, kw_only=True)
class Impact:
    """What something went into.

    Attributes:
        target: what was asked about.
        models: every model that was made of it, oldest first.
        pushed: every version that was pushed of these models.
        refused: pushes that a missing blessing stopped.
        num_executions: all that read something made of it, or used it from the cache.
        num_artifacts: all that was made of it, itself included.
        graph: the first of these.
    """

    target: Target
    models: tuple[Touched, ...]
    pushed: tuple[Touched, ...]
    refused: tuple[Touched, ...]
    num_executions: int
    num_artifacts: int
    graph: Graph


def impact(reader: Reader, target: Target, *, limit: int = walk.MAX_EXECUTIONS) -> Impact:
    """Follows a target downstream.

    Args:
        reader: of the store.
        target: data, an artifact, a version, an execution, or a run: then all it wrote anew.
        limit: of executions in the graph; the models and versions are always all of them.
    """
    if target.run is not None:
        found = reader.executions_of_run(target.run)
        executions = tuple(item.id for item in found if item.state != "CACHED")
    else:
        executions = target.executions
    roots = [f"artifact:{number}" for number in target.artifacts]
    roots += [f"execution:{number}" for number in target.executions]
    reach = walk.downstream(
        reader,
        target.artifacts,
        is_kept=lambda artifact: artifact.type in (MODEL, PUSHED),
        executions=executions,
        roots=roots,
        limit=limit,
    )
    touched = _with_makers(reader, reach.kept)
    pushes = [item for item in touched if item.artifact.type == PUSHED]
    return Impact(
        target=target,
        models=tuple(item for item in touched if item.artifact.type == MODEL),
        pushed=tuple(item for item in pushes if item.is_pushed),
        refused=tuple(item for item in pushes if not item.is_pushed),
        num_executions=reach.num_executions,
        num_artifacts=reach.num_artifacts,
        graph=reach.graph,
    )


def _with_makers(reader: Reader, artifacts: tuple[Artifact, ...]) -> list[Touched]:
    makers: dict[int, int] = {}
    for edge in reader.edges_of_artifacts(item.id for item in artifacts):
        if edge.is_output:
            earlier = makers.get(edge.artifact, edge.execution)
            makers[edge.artifact] = min(edge.execution, earlier)
    executions = reader.placed(reader.executions_by_id(makers.values()).values())
    return [
        Touched(artifact=item, execution=executions.get(makers.get(item.id, 0)))
        for item in artifacts
    ]

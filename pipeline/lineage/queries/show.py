"""One thing with its surroundings: a run, a version, an execution, an artifact."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.lineage.errors import NotFound
from pipeline.lineage.models import Artifact, Execution, Graph
from pipeline.lineage.naming import Target
from pipeline.lineage.queries import runs, states
from pipeline.lineage.queries.whole import run_of, whole_run
from pipeline.lineage.reader import Reader
from pipeline.lineage.walk import make_graph

MAX_READERS = 50


@dataclass(frozen=True, kw_only=True)
class ShownArtifact:
    """An artifact, what made it, and what read it.

    Attributes:
        artifact: itself.
        producer: the execution that wrote it; None where the store does not say.
        readers: the newest executions that read it or took it from the cache, newest first.
        num_readers: how many there are.
    """

    artifact: Artifact
    producer: Execution | None
    readers: tuple[Execution, ...]
    num_readers: int


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What there is to say of a target; what does not apply is empty.

    Attributes:
        target: what was asked about.
        artifacts: those meant.
        execution: of an execution: itself, with its inputs and outputs.
        row: of a run or a version: the run, its decision and metrics.
        graph: of a run: all its executions and artifacts.
        model: of a version: the model that was pushed.
    """

    target: Target
    artifacts: tuple[ShownArtifact, ...] = ()
    execution: Execution | None = None
    row: runs.RunRow | None = None
    graph: Graph | None = None
    model: Artifact | None = None


def show(reader: Reader, target: Target) -> Shown:
    """Gathers what there is to say of a target."""
    if target.kind == "run":
        run, graph = whole_run(reader, run_of(reader, target))
        return Shown(target=target, row=runs.row_of(run, states.written(run)), graph=graph)
    if target.kind == "execution":
        return Shown(target=target, execution=_execution(reader, target.executions[0]))
    artifacts = tuple(show_artifact(reader, number) for number in target.artifacts)
    if target.kind != "version":
        return Shown(target=target, artifacts=artifacts)
    model, row = _pushed(reader, target, artifacts)
    return Shown(target=target, artifacts=artifacts, row=row, model=model)


def show_artifact(reader: Reader, number: int) -> ShownArtifact:
    """An artifact with its producer and its readers.

    Raises:
        NotFound: there is no such artifact.
    """
    found = reader.artifacts_by_id([number])
    if number not in found:
        raise NotFound(f"artifact:{number}: the store has no artifact of this number.")
    edges = reader.edges_of_artifacts([number])
    first = min((edge.execution for edge in edges if edge.is_output), default=0)
    others = sorted({edge.execution for edge in edges} - {first}, reverse=True)
    wanted = [first, *others[:MAX_READERS]]
    executions = reader.placed(reader.executions_by_id(wanted).values())
    return ShownArtifact(
        artifact=found[number],
        producer=executions.get(first),
        readers=tuple(executions[n] for n in others[:MAX_READERS] if n in executions),
        num_readers=len(others),
    )


def _execution(reader: Reader, number: int) -> Execution:
    edges = reader.edges_of_executions([number])
    artifacts = reader.artifacts_by_id(edge.artifact for edge in edges)
    executions = reader.executions_by_id([number]).values()
    return make_graph(reader, executions, artifacts, edges).executions[number]


def _pushed(
    reader: Reader, target: Target, artifacts: tuple[ShownArtifact, ...]
) -> tuple[Artifact | None, runs.RunRow | None]:
    """The model of a version, and the run that pushed it; None where the store knows neither."""
    model = None
    producer = artifacts[0].producer if artifacts else None
    if producer is not None:
        model = next(iter(_execution(reader, producer.id).inputs.get("model", ())), None)
    try:
        [row] = runs.summarise(reader, [run_of(reader, target)])
    except NotFound:
        return model, None
    return model, row

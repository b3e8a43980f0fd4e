"""Upstream: what something was made of, down to the raw files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.lineage import walk
from pipeline.lineage.models import Artifact, Execution, Graph, Run
from pipeline.lineage.naming import Target
from pipeline.lineage.reader import Reader
from pipeline.lineage.sources import RawFile, parsed, raw_files
from pipeline.recording import names

CODE, SETTINGS = "waybill_code", "waybill_settings"


@dataclass(frozen=True, kw_only=True)
class DataSource:
    """Data that was taken in.

    Attributes:
        artifact: the examples.
        execution: what took them in; None where the store does not know.
        span: as recorded; empty where there is none.
        fingerprint: of all that was read.
        files: the raw files, where recorded.
        folder: what was read, where files are not recorded.
    """

    artifact: Artifact
    execution: Execution | None
    span: str
    fingerprint: str
    files: tuple[RawFile, ...]
    folder: str


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Where something comes from.

    Attributes:
        target: what was asked about.
        graph: all executions and artifacts on the way.
        data: what was taken in from outside.
        schemas: the schemas on the way, oldest first.
        runs: of the executions that made it, oldest first; with what they recorded.
        code: node to the hash of its code.
    """

    target: Target
    graph: Graph
    data: tuple[DataSource, ...]
    schemas: tuple[Artifact, ...]
    runs: tuple[Run, ...]
    code: Mapping[str, str] = field(default_factory=dict)

    def libraries(self, run: Run) -> dict[str, str]:
        """Package to version, as a run recorded them; empty where it recorded none."""
        return {str(k): str(v) for k, v in parsed(run.text(names.LIBRARIES), dict).items()}


def trace(reader: Reader, target: Target, *, limit: int = walk.MAX_EXECUTIONS) -> Trace:
    """Follows a target upstream.

    Args:
        reader: of the store.
        target: an artifact, a version, an execution, or a run: then all it wrote.
        limit: of executions in the graph.
    """
    if target.run is not None:
        executions = tuple(item.id for item in reader.executions_of_run(target.run))
    else:
        executions = target.executions
    roots = [f"artifact:{number}" for number in target.artifacts]
    roots += [f"execution:{number}" for number in target.executions]
    graph = walk.upstream(reader, target.artifacts, executions=executions, roots=roots, limit=limit)
    made = [item for item in graph.executions.values() if item.state != "CACHED"]
    return Trace(
        target=target,
        graph=graph,
        data=data_of(graph),
        schemas=graph.of_type("Schema"),
        runs=_runs(reader, graph),
        code={item.node: item.text(CODE) for item in made if item.text(CODE)},
    )


def data_of(graph: Graph) -> tuple[DataSource, ...]:
    """The data that a graph begins with: examples that were made of no artifact, oldest first."""
    found = []
    for artifact in graph.of_type("Examples"):
        makers = graph.producers(artifact.id)
        maker = makers[0] if makers else None
        if maker is not None and maker.inputs:
            continue
        found.append(
            DataSource(
                artifact=artifact,
                execution=maker,
                span=artifact.text("span"),
                fingerprint=artifact.text("input_fingerprint"),
                files=raw_files(artifact),
                folder=maker.text("input_base") if maker is not None else "",
            )
        )
    return tuple(found)


def _runs(reader: Reader, graph: Graph) -> tuple[Run, ...]:
    """The runs of the executions that did work, not of those that answered from the cache."""
    ids = {item.run for item in graph.executions.values() if item.run and item.state != "CACHED"}
    found = (reader.run(name) for name in ids)
    return tuple(sorted((run for run in found if run is not None), key=lambda run: run.context))

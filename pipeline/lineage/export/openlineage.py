"""A graph as OpenLineage's RunEvents: what Marquez, DataHub, Atlan and others take in.

https://openlineage.io/spec/2-0-2/OpenLineage.json

Each execution gives a START event and one that says how it ended, under the run of its pipeline as
its parent. An artifact is a version of a dataset, whose name is the folder that all artifacts of
that output share, so that consumers see one dataset with a history.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.lineage.export import facets
from pipeline.lineage.export.datasets import Datasets
from pipeline.lineage.export.identity import Identity, instant, json_value
from pipeline.lineage.models import UNFINISHED_STATES, Execution, Graph, Run, short_type

SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
NAMESPACE = "waybill"

_ENDINGS = {
    "COMPLETE": "COMPLETE",
    "CACHED": "COMPLETE",
    "FAILED": "FAIL",
    "CANCELED": "ABORT",
}
Event = dict[str, Any]


def to_events(
    graph: Graph, runs: Iterable[Run], store: str, *, namespace: str = NAMESPACE
) -> Iterator[Event]:
    """The events, in the order in which things happened; one JSON object each.

    Args:
        graph: what to write.
        runs: those that its executions belong to.
        store: where it was read; two stores have no run id in common.
        namespace: of the jobs.
    """
    known = {run.id: run for run in runs}
    writer = _Writer(
        identity=Identity(store), namespace=namespace, runs=known, datasets=Datasets(graph)
    )
    events = [event for run in known.values() for event in writer.of_run(run, graph)]
    for execution in graph.executions.values():
        events += writer.of_execution(execution)
    # Sorting is stable: of two events at one time a run's comes first, and a start before an end.
    yield from sorted(events, key=lambda event: str(event["eventTime"]))


@dataclass(frozen=True)
class _Writer:
    identity: Identity
    namespace: str
    runs: Mapping[str, Run]
    datasets: Datasets = field(repr=False)

    def of_run(self, run: Run, graph: Graph) -> Iterator[Event]:
        members = [item for item in graph.executions.values() if item.run == run.id]
        ends = [item.updated_ms for item in members]
        states = {item.state for item in members}
        identified = {
            "runId": self.identity.of("run", run.id),
            "facets": {
                **facets.engine(run),
                "waybill_run": facets.custom("RunOfPipelineRunFacet", run.properties),
            },
        }
        job = self._job(run.pipeline, "DAG", run)
        yield self._event("START", run.started_ms, identified, job)
        ending = {
            "RUNNING": "",
            "FAILED": "FAIL",
            "CANCELED": "ABORT",
        }.get(run.state or _state_of(states), "COMPLETE")
        if ending and members:
            at = max([run.started_ms, run.ended_ms, *ends])
            yield self._event(ending, at, identified, job)

    def of_execution(self, execution: Execution) -> Iterator[Event]:
        run = self.runs.get(execution.run)
        identified = {
            "runId": self.identity.of("execution", execution.id),
            "facets": {
                **(facets.engine(run) if run is not None else {}),
                **self._parent(execution),
                **facets.error(execution),
                "waybill_execution": facets.execution(execution),
            },
        }
        name = f"{execution.pipeline}.{execution.node}" if execution.pipeline else execution.node
        job = self._job(name, short_type(execution.type) or "TASK", run)
        inputs = self.datasets.inputs(execution)
        yield self._event("START", execution.started_ms, identified, job, inputs)
        if execution.state not in UNFINISHED_STATES:
            ending = _ENDINGS.get(execution.state, "OTHER")
            outputs = self.datasets.outputs(execution)
            yield self._event(ending, execution.updated_ms, identified, job, inputs, outputs)

    def _event(
        self,
        kind: str,
        ms: int,
        run: Mapping[str, Any],
        job: Mapping[str, Any],
        inputs: Iterable[Mapping[str, Any]] = (),
        outputs: Iterable[Mapping[str, Any]] = (),
    ) -> Event:
        return {
            "eventType": kind,
            "eventTime": instant(ms),
            "run": run,
            "job": job,
            "inputs": list(inputs),
            "outputs": list(outputs),
            "producer": facets.PRODUCER,
            "schemaURL": SCHEMA,
        }

    def _job(self, name: str, kind: str, run: Run | None) -> dict[str, Any]:
        return {
            "namespace": self.namespace,
            "name": json_value(name) or "pipeline",
            "facets": {**facets.job_type(kind), **(facets.code(run) if run is not None else {})},
        }

    def _parent(self, execution: Execution) -> dict[str, Any]:
        if not execution.run:
            return {}
        run_id = self.identity.of("run", execution.run)
        return facets.parent(run_id, self.namespace, json_value(execution.pipeline) or "pipeline")


def _state_of(states: set[str]) -> str:
    if states & set(UNFINISHED_STATES):
        return "RUNNING"
    return next((state for state in ("FAILED", "CANCELED") if state in states), "COMPLETE")

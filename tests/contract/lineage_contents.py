"""A small history, written to any store as TFX writes one: by ML Metadata's own calls.

run-1   takes span 1 in, trains, is pushed as version 1
run-2   finds its data in the cache, trains, is refused by the Evaluator
run-3   takes span 2 in, trains from the model of run-1, is pushed as version 2
run-4   fails in the Trainer
run-5   is running
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ml_metadata
from ml_metadata.proto import metadata_store_pb2

_Execution = metadata_store_pb2.Execution
_Event = metadata_store_pb2.Event
PIPELINE = "trips"
_TYPES = {
    "ExampleGen": "tfx.components.example_gen.csv_example_gen.component.CsvExampleGen",
    "Transform": "tfx.components.transform.component.Transform",
    "Trainer": "tfx.components.trainer.component.Trainer",
    "BaselineResolver": "tfx.dsl.components.common.resolver.Resolver",
    "StartingResolver": "tfx.dsl.components.common.resolver.Resolver",
    "Evaluator": "tfx.components.evaluator.component.Evaluator",
    "Pusher": "tfx.components.pusher.component.Pusher",
}


@dataclass
class History:
    """Writes the history.

    Attributes:
        store: of ML Metadata, writable.
        artifacts: what was written: `<run>/<node>.<key>` to its number.
        executions: `<run>/<node>` to its number.
    """

    store: ml_metadata.MetadataStore
    artifacts: dict[str, int] = field(default_factory=dict)
    executions: dict[str, int] = field(default_factory=dict)

    def write(self) -> History:
        """Writes all of it."""
        self._data("run-1", span=1)
        self._train("run-1", data="run-1")
        self._judge("run-1", is_blessed=True)
        self._push("run-1", version=1)
        self._cached("run-2", "ExampleGen", "run-1", "examples")
        self._cached("run-2", "Transform", "run-1", "transformed_examples")
        self._train("run-2", data="run-1")
        self._judge("run-2", is_blessed=False, baseline="run-1")
        self._push("run-2", version=0)
        self._data("run-3", span=2)
        self._resolve("run-3", "StartingResolver", "run-1/Trainer.model")
        self._train("run-3", data="run-3", base="run-1")
        self._judge("run-3", is_blessed=True, baseline="run-1")
        self._push("run-3", version=2)
        self._cached("run-4", "ExampleGen", "run-3", "examples")
        failed = {"waybill_error": "ValueError: no such column"}
        inputs = [("run-3/Transform.transformed_examples", "examples")]
        self._node("run-4", "Trainer", inputs, state=_Execution.FAILED, properties=failed)
        self._node("run-5", "ExampleGen", [], state=_Execution.RUNNING)
        return self

    def _data(self, run: str, *, span: int) -> None:
        path = f"/data/span-{span}/trips.csv"
        raw = {"path": path, "bytes": 100 * span, "sha256": f"{span}" * 64, "rows": 10 * span}
        properties = {
            "span": span,
            "num_rows_train": 7 * span,
            "num_rows_eval": 3 * span,
            "input_fingerprint": f"{span}abcdef0123",
            "waybill_input": json.dumps([raw]),
        }
        taken = {"input_base": f"/data/span-{span}", "waybill_code": "c0de"}
        written = {"examples": ("Examples", properties)}
        self._node(run, "ExampleGen", [], written, properties=taken)
        inputs = [(f"{run}/ExampleGen.examples", "examples")]
        self._node(run, "Transform", inputs, {"transformed_examples": ("Examples", {})})

    def _train(self, run: str, *, data: str, base: str = "") -> None:
        inputs = [(f"{data}/Transform.transformed_examples", "examples")]
        inputs += [(f"{base}/Trainer.model", "base_model")] if base else []
        settings = {"waybill_settings": json.dumps({"steps": len(self.executions)})}
        self._node(run, "Trainer", inputs, {"model": ("Model", {})}, properties=settings)

    def _judge(self, run: str, *, is_blessed: bool, baseline: str = "") -> None:
        inputs = [(f"{run}/Trainer.model", "model")]
        if baseline:
            self._resolve(run, "BaselineResolver", f"{baseline}/Trainer.model")
            inputs.append((f"{baseline}/Trainer.model", "baseline_model"))
        metrics = {"candidate_metrics": json.dumps({"auc": 0.9 if is_blessed else 0.5})}
        reason = "every threshold was met" if is_blessed else "auc on all examples is below 0.8"
        blessing = {"blessed": int(is_blessed), "reason": reason}
        written = {
            "evaluation": ("ModelEvaluation", metrics),
            "blessing": ("ModelBlessing", blessing),
        }
        self._node(run, "Evaluator", inputs, written)

    def _push(self, run: str, *, version: int) -> None:
        inputs = [(f"{run}/Trainer.model", "model"), (f"{run}/Evaluator.blessing", "blessing")]
        pushed: dict[str, Any] = {"pushed": int(version > 0)}
        if version:
            pushed |= {
                "pushed_version": str(version),
                "pushed_destination": f"/serving/trips/{version}",
            }
        self._node(run, "Pusher", inputs, {"pushed_model": ("PushedModel", pushed)})

    def _cached(self, run: str, node: str, source: str, key: str) -> None:
        name = f"{source}/{node}.{key}"
        read = [(f"{source}/ExampleGen.examples", "examples")] if node == "Transform" else []
        span = 1 if source == "run-1" else 2
        taken = {"input_base": f"/data/span-{span}"} if node == "ExampleGen" else {}
        number = self._node(run, node, read, state=_Execution.CACHED, properties=taken)
        self._events(number, [(name, key)], _Event.OUTPUT)

    def _resolve(self, run: str, node: str, found: str) -> None:
        number = self._node(run, node, [])
        self._events(number, [(found, "model")], _Event.INTERNAL_OUTPUT)

    def _node(
        self,
        run: str,
        node: str,
        inputs: Sequence[tuple[str, str]],
        written: Mapping[str, tuple[str, Mapping[str, Any]]] | None = None,
        *,
        state: int = _Execution.COMPLETE,
        properties: Mapping[str, Any] | None = None,
    ) -> int:
        kind = self.store.put_execution_type(metadata_store_pb2.ExecutionType(name=_TYPES[node]))
        execution = _Execution(type_id=kind, last_known_state=state)
        _set(execution, properties or {})
        contexts = [
            self._context("pipeline", PIPELINE),
            self._context("pipeline_run", run),
            self._context("node", f"{PIPELINE}.{node}"),
        ]
        made = [
            (self._artifact(name, f"/store/{node}/{key}/{run}", values), _event(_Event.OUTPUT, key))
            for key, (name, values) in (written or {}).items()
        ]
        number, artifacts, _ = self.store.put_execution(execution, made, contexts)
        self.executions[f"{run}/{node}"] = number
        for key, artifact in zip(written or {}, artifacts, strict=True):
            self.artifacts[f"{run}/{node}.{key}"] = artifact
        self._events(number, inputs, _Event.INPUT)
        self._adopt(run)
        return int(number)

    def _events(self, execution: int, found: Sequence[tuple[str, str]], kind: int) -> None:
        events = []
        for name, key in found:
            event = _event(kind, key)
            event.execution_id, event.artifact_id = execution, self.artifacts[name]
            events.append(event)
        if events:
            self.store.put_events(events)

    def _artifact(self, name: str, uri: str, properties: Mapping[str, Any]) -> Any:
        kind = self.store.put_artifact_type(metadata_store_pb2.ArtifactType(name=name))
        artifact = metadata_store_pb2.Artifact(
            type_id=kind, uri=uri, state=metadata_store_pb2.Artifact.LIVE
        )
        _set(artifact, properties)
        return artifact

    def _context(self, kind: str, name: str) -> Any:
        number = self.store.put_context_type(metadata_store_pb2.ContextType(name=kind))
        known = self.store.get_context_by_type_and_name(kind, name)
        return known or metadata_store_pb2.Context(type_id=number, name=name)

    def _adopt(self, run: str) -> None:
        child = self.store.get_context_by_type_and_name("pipeline_run", run)
        parent = self.store.get_context_by_type_and_name("pipeline", PIPELINE)
        if not self.store.get_parent_contexts_by_context(child.id):
            link = metadata_store_pb2.ParentContext(child_id=child.id, parent_id=parent.id)
            self.store.put_parent_contexts([link])


def _event(kind: int, key: str) -> Any:
    event = _Event(type=kind)
    event.path.steps.add(key=key)
    event.path.steps.add(index=0)
    return event


def _set(item: Any, properties: Mapping[str, Any]) -> None:
    for name, value in properties.items():
        if isinstance(value, int):
            item.custom_properties[name].int_value = value
        else:
            item.custom_properties[name].string_value = value

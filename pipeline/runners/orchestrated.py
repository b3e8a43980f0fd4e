"""Runs nodes of a run that an orchestrator schedules: in any process, in any number of attempts."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_metadata
from google.protobuf import json_format
from tfx.proto.orchestration import pipeline_pb2
from tfx.types import standard_component_specs

from components.errors import WaybillError
from components.ingestion.reading import with_span
from pipeline.lineage.connection import parse
from pipeline.lineage.models import Artifact
from pipeline.lineage.store import LineageStore
from pipeline.metadata import connection, prepare
from pipeline.outcome import NOT_GOOD_ENOUGH, NOT_SERVABLE, PUSHED, Outcome, failed_outcome
from pipeline.recording import names
from pipeline.recording.facts import run_facts
from pipeline.recording.recorder import record_outcome
from pipeline.runners import attempts, local
from pipeline.runners.node import connection_of, find, set_connection

# The nodes whose verdict on the model can end a run, and what the end is called.
_JUDGES = {"Evaluator": NOT_GOOD_ENOUGH, "ServingCheck": NOT_SERVABLE}
_LAST = "Pusher"


@dataclass(frozen=True)
class Run:
    """A run of a compiled pipeline.

    Attributes:
        ir: the pipeline, its parameters, run id and metadata store filled in.
        root: where it writes.
        metadata: the URI of the store.
        config: the configuration as JSON values, to record.
    """

    ir: pipeline_pb2.Pipeline
    root: str
    metadata: str
    config: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        text: str,
        *,
        run_id: str,
        root: str,
        metadata: str,
        config: Mapping[str, Any],
        span: int | None = None,
        fresh: bool = False,
    ) -> Run:
        """Parses the IR and fills in what belongs to this run.

        Args:
            text: the IR as JSON, without places left.
            run_id: names the run in ML Metadata.
            root: where the run writes.
            metadata: the URI of the store.
            config: the configuration as JSON values.
            span: which span ExampleGen reads; None for what was compiled.
            fresh: uses no result of an earlier run.
        """
        prepare(metadata)
        ir = pipeline_pb2.Pipeline()
        json_format.Parse(text, ir)
        local.set_run_id(ir, run_id)
        set_connection(ir, connection(metadata))
        if span is not None:
            parameters = find(ir, "ExampleGen").parameters.parameters
            value = parameters[standard_component_specs.CUSTOM_CONFIG_KEY].field_value
            value.string_value = with_span(value.string_value, span)
        if fresh:
            for item in ir.nodes:
                item.pipeline_node.execution_options.caching_options.enable_cache = False
        return cls(ir, root, metadata, config)

    @property
    def id(self) -> str:
        """Names the run in ML Metadata."""
        run_id: str = self.ir.runtime_spec.pipeline_run_id.field_value.string_value
        return run_id

    def nodes(self, wanted: Collection[str]) -> dict[str, str]:
        """Runs the nodes that have not succeeded before in this run.

        Args:
            wanted: their ids; what they need besides each other has succeeded in this run.

        Returns:
            How each ended: `done`, `cached`, `skipped`, or `done before`.

        Raises:
            WaybillError: what a node refused, or why it failed.
        """
        endings: dict[str, str] = {}

        def tell(node: str, state: str, seconds: float) -> None:
            endings[node] = state
            took = "" if state == "running" else f" in {seconds:.1f} s"
            print(f"{node}: {state}{took}\n", end="", flush=True)

        left = []
        for node in wanted:
            if attempts.succeeded(self._store(), self.ir, node):
                tell(node, "done before", 0.0)
                continue
            attempts.clear(self._store(), self.ir, node)
            for uri in attempts.forget_gone(self._store(), self.ir, node):
                print(f"{node}: {uri} is gone, so it is not used again", file=sys.stderr)
            left.append(node)
        seed = int(self.config.get("training", {}).get("seed", 0))
        facts = {
            **run_facts(self.config, seed=seed, folder=Path.cwd()),
            names.ROOT: self.root,
            names.RUNNER: "run_node",
        }
        try:
            local.run(self.ir, left, tell, facts=facts)
        except KeyboardInterrupt:
            attempts.cancel(self._store(), self.ir, left)
            raise
        except WaybillError as error:
            outcome = failed_outcome(error)
            self._record(error.exit_code, outcome.decision, str(error))
            raise
        return endings

    def refusals(self, asked: Collection[str]) -> dict[str, str]:
        """The reason of each of these nodes that did not bless the model in this run.

        What was decided is recorded as the outcome of the run.
        """
        store = LineageStore(parse(self.metadata))
        found: dict[str, str] = {}
        for node, decision in _JUDGES.items():
            blessing = self._output(store, node, "blessing") if node in asked else None
            if blessing is not None and blessing.properties.get("blessed") != 1:
                found[node] = blessing.text("reason") or "no reason was recorded"
                code = Outcome(decision=decision, reason=found[node]).exit_code
                self._record(code, decision, found[node])
        pushed = self._output(store, _LAST, "pushed_model") if _LAST in asked else None
        if pushed is not None and pushed.properties.get("pushed") == 1:
            blessing = self._output(store, "Evaluator", "blessing")
            reason = blessing.text("reason") if blessing is not None else ""
            self._record(0, PUSHED, reason, version=pushed.text("pushed_version"))
        return found

    def _output(self, store: LineageStore, node: str, key: str) -> Artifact | None:
        mine = {item.id for item in attempts.attempts_of(self._store(), self.ir, node)}
        for execution in store.executions(self.ir.pipeline_info.id, node):
            if execution.id in mine:
                return execution.output(key)
        return None

    def _record(self, exit_code: int, kind: str, reason: str, version: str | None = None) -> None:
        record_outcome(
            self._store, self.id, exit_code=exit_code, kind=kind, reason=reason, version=version
        )

    def _store(self) -> ml_metadata.MetadataStore:
        return ml_metadata.MetadataStore(connection_of(self.ir))

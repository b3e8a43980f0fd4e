"""Records a run and its nodes; whatever goes wrong here is logged, and never fails a run.

TFX's cache hashes input artifacts with all that is recorded on them. So an artifact's contents are
written down once, before any node can have read it, and never again.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_metadata
from ml_metadata.proto import metadata_store_pb2

from pipeline.lineage import checksums
from pipeline.recording import names
from pipeline.recording.redaction import redact_text
from pipeline.recording.usage import Usage, measure

RUN, NODE = "pipeline_run", "node"

_log = logging.getLogger(__name__)
_State = metadata_store_pb2.Execution
_MAX_REASON = 4_000
_MAX_ERROR = 500


@dataclass
class NodeRecord:
    """What the caller knows of the node it runs.

    Attributes:
        execution_id: as the launcher says; None where it raised or skipped the node.
        error: why it failed; by default the text of what it raised.
    """

    execution_id: int | None = None
    error: str = ""


@dataclass(frozen=True)
class Recorder:
    """Writes to one metadata store about one run.

    Attributes:
        connection: of the store.
        pipeline: its name.
        run_id: names the context of the run.
        pipeline_root: only what lies below is hashed.
        log: the file of what the libraries say; None where there is none.
    """

    connection: metadata_store_pb2.ConnectionConfig
    pipeline: str
    run_id: str
    pipeline_root: Path
    log: Path | None = None

    @classmethod
    def of(cls, ir: Any, connection: Any, *, log: Path | None) -> Recorder:
        """That of a compiled pipeline.

        Args:
            ir: the pipeline as TFX compiles it, its run id filled in.
            connection: as TFX's launcher takes it.
            log: the file of what the libraries say.
        """
        runtime = ir.runtime_spec
        return cls(
            connection=connection,
            pipeline=ir.pipeline_info.id,
            run_id=runtime.pipeline_run_id.field_value.string_value,
            pipeline_root=Path(runtime.pipeline_root.field_value.string_value),
            log=log,
        )

    def start(self, contexts: Any, facts: Mapping[str, str | int]) -> None:
        """Writes down what is known before the first node.

        Where each node has a process of its own, every one of them may call this: what the first
        wrote stays.

        Args:
            contexts: those of any node in the compiled pipeline (`PipelineNode.contexts`): the
                run's is made of it where it is not there yet.
            facts: see `pipeline.recording.facts`.
        """
        with _harmless(f"run {self.run_id}"):
            from tfx.orchestration import metadata
            from tfx.orchestration.portable.mlmd import context_lib

            with metadata.Metadata(self.connection) as handle:
                context_lib.prepare_contexts(handle, contexts)
            write_on_run(self._store(), self.run_id, facts, overwrites=False)

    @contextlib.contextmanager
    def node(self, node: str) -> Iterator[NodeRecord]:
        """Inside, the node is launched; at the end what it used and made is recorded.

        Of a node whose result came from the cache nothing is: its state says so, and the artifacts
        belong to the execution that made them.
        """
        record = NodeRecord()
        usage = Usage()
        try:
            with measure() as usage:
                yield record
        except BaseException as error:
            record.error = record.error or str(error) or type(error).__name__
            raise
        finally:
            with _harmless(node):
                self._write(node, record, usage)

    def _write(self, node: str, record: NodeRecord, usage: Usage) -> None:
        store = self._store()
        execution = None
        if record.execution_id is not None:
            [execution] = store.get_executions_by_id([record.execution_id])
        elif record.error:
            execution = _execution_of(store, self.run_id, f"{self.pipeline}.{node}")
        if execution is None or _is_recorded(execution):
            return
        execution.custom_properties.pop(names.ERROR, None)
        _set(execution, _properties(usage, record.error, self.log))
        store.put_executions([execution])
        if execution.last_known_state == _State.COMPLETE:
            self._write_contents(store, execution.id)

    def _write_contents(self, store: ml_metadata.MetadataStore, execution_id: int) -> None:
        made = [
            event.artifact_id
            for event in store.get_events_by_execution_ids([execution_id])
            # A resolver's are INTERNAL_OUTPUT: what another node made.
            if event.type == metadata_store_pb2.Event.OUTPUT
        ]
        described = []
        for artifact in store.get_artifacts_by_id(made):
            path = checksums.local_path(artifact.uri)
            if path is None or not path.is_relative_to(self.pipeline_root) or not path.exists():
                continue
            if names.SHA256 in artifact.custom_properties:
                continue
            found = checksums.read_contents(path)
            values = (found.num_files, found.num_bytes, found.sha256)
            _set(artifact, dict(zip((names.FILES, names.BYTES, names.SHA256), values, strict=True)))
            described.append(artifact)
        if described:
            store.put_artifacts(described)

    def _store(self) -> ml_metadata.MetadataStore:
        return ml_metadata.MetadataStore(self.connection)


def record_outcome(
    connect: Callable[[], ml_metadata.MetadataStore | None],
    run_id: str,
    *,
    exit_code: int | None,
    kind: str,
    reason: str,
    version: str | None = None,
) -> None:
    """Writes down how a run ended.

    Args:
        connect: opens the store for writing; None where there is none.
        run_id: names the run; one that is not in the store is passed over.
        exit_code: of the process; None where it was killed.
        kind: `pushed`, `not good enough`, … as in `pipeline.outcome`, `interrupted` or `killed`.
        reason: in words.
        version: the number of the pushed version.
    """
    outcome = {
        "exit_code": exit_code,
        "kind": kind,
        "reason": redact_text(reason)[:_MAX_REASON],
        "version": version,
    }
    with _harmless(f"run {run_id}"):
        store = connect()
        if store is not None:
            write_on_run(store, run_id, {names.OUTCOME: json.dumps(outcome)})


def write_on_run(
    store: ml_metadata.MetadataStore,
    run_id: str,
    properties: Mapping[str, str | int],
    *,
    overwrites: bool = True,
) -> None:
    """Sets properties of the run's context, if there is one.

    Args:
        store: open for writing.
        run_id: names the run.
        properties: by name.
        overwrites: whether a property that is there is replaced.
    """
    context = store.get_context_by_type_and_name(RUN, run_id)
    if context is None:
        return
    known = () if overwrites else context.custom_properties
    _set(context, {name: value for name, value in properties.items() if name not in known})
    store.put_contexts([context])


def one_line(error: str) -> str:
    """An error as it is recorded: one line, bounded, without secrets."""
    return redact_text(" ".join(error.split()))[:_MAX_ERROR]


def _is_recorded(execution: Any) -> bool:
    """Whether nothing was done: it is cached, or had succeeded when the node was asked again."""
    if execution.last_known_state == _State.CACHED:
        return True
    known = execution.custom_properties
    is_complete = execution.last_known_state == _State.COMPLETE
    return is_complete and names.WALL_S in known and names.ERROR not in known


def _execution_of(store: ml_metadata.MetadataStore, run_id: str, node: str) -> Any | None:
    """The run's newest execution of a node."""
    run = store.get_context_by_type_and_name(RUN, run_id)
    context = store.get_context_by_type_and_name(NODE, node)
    if run is None or context is None:
        return None
    found = store.get_executions_by_context(run.id)
    for execution in sorted(found, key=lambda item: item.id, reverse=True):
        if any(item.id == context.id for item in store.get_contexts_by_execution(execution.id)):
            return execution
    return None


def _properties(usage: Usage, error: str, log: Path | None) -> dict[str, str | int | float]:
    return {
        names.WALL_S: round(usage.wall_s, 3),
        names.CPU_S: round(usage.cpu_s, 3),
        names.PEAK_BYTES: usage.peak_bytes,
        **({names.ERROR: one_line(error)} if error else {}),
        **({names.LOG: str(log)} if log is not None else {}),
    }


def _set(item: Any, properties: Mapping[str, str | int | float]) -> None:
    for name, value in properties.items():
        if isinstance(value, int):
            item.custom_properties[name].int_value = value
        elif isinstance(value, float):
            item.custom_properties[name].double_value = value
        else:
            item.custom_properties[name].string_value = value


@contextlib.contextmanager
def _harmless(what: str) -> Iterator[None]:
    """Logs what goes wrong: a run does not end because it could not be written down."""
    try:
        yield
    except Exception:
        _log.warning("%s: not everything about it could be recorded.", what, exc_info=True)

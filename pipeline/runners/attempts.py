"""What an earlier attempt at a node of the same run left behind, and what to do about it.

TFX's launcher uses an execution of the same run again, whatever became of it, together with its
output folders; only one that succeeded is not repeated, and resolvers are repeated even then.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import ml_metadata
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.io import fileio
from tfx.proto.orchestration import pipeline_pb2

from pipeline.runners.node import find

_State = metadata_store_pb2.Execution
_SUCCEEDED = (_State.COMPLETE, _State.CACHED)
_UNFINISHED = (_State.NEW, _State.RUNNING)
_NEWEST = 50


def succeeded(store: ml_metadata.MetadataStore, ir: pipeline_pb2.Pipeline, node_id: str) -> bool:
    """Whether the node has already succeeded in this run, so that nothing is to be done."""
    return any(
        execution.last_known_state in _SUCCEEDED for execution in attempts_of(store, ir, node_id)
    )


def clear(store: ml_metadata.MetadataStore, ir: pipeline_pb2.Pipeline, node_id: str) -> None:
    """Removes what attempts that did not succeed had begun to write.

    A killed attempt leaves folders such as `beam-temp-*` in its outputs, which readers of the
    outputs would take for data.
    """
    root = ir.runtime_spec.pipeline_root.field_value.string_value
    outputs = find(ir, node_id).outputs.outputs
    for execution in attempts_of(store, ir, node_id):
        if execution.last_known_state in _SUCCEEDED:
            continue
        for folder in (*outputs, ".system/executor_execution"):
            with contextlib.suppress(fileio.NotFoundError):
                fileio.rmtree(f"{root}/{node_id}/{folder}/{execution.id}")


def cancel(
    store: ml_metadata.MetadataStore, ir: pipeline_pb2.Pipeline, node_ids: Iterable[str]
) -> None:
    """Marks the unfinished attempts of this run at these nodes as canceled."""
    stopped = []
    for node_id in node_ids:
        for execution in attempts_of(store, ir, node_id):
            if execution.last_known_state in _UNFINISHED:
                execution.last_known_state = _State.CANCELED
                stopped.append(execution)
    if stopped:
        store.put_executions(stopped)


def forget_gone(
    store: ml_metadata.MetadataStore,
    ir: pipeline_pb2.Pipeline,
    node_id: str,
    exists: Callable[[str], bool] = fileio.exists,
) -> list[str]:
    """Marks earlier outputs of the node as deleted where their files are, so no cache offers them.

    Returns:
        The URIs that are gone.
    """
    context = store.get_context_by_type_and_name("node", f"{ir.pipeline_info.id}.{node_id}")
    if context is None:
        return []
    options = ml_metadata.ListOptions(
        limit=_NEWEST, order_by=ml_metadata.OrderByField.ID, is_asc=False
    )
    executions = store.get_executions_by_context(context.id, list_options=options)
    events = store.get_events_by_execution_ids([execution.id for execution in executions])
    made = {event.artifact_id for event in events if event.type == metadata_store_pb2.Event.OUTPUT}
    gone = []
    for artifact in store.get_artifacts_by_id(sorted(made)):
        if artifact.state == metadata_store_pb2.Artifact.LIVE and not exists(artifact.uri):
            artifact.state = metadata_store_pb2.Artifact.DELETED
            gone.append(artifact)
    if gone:
        store.put_artifacts(gone)
    return [artifact.uri for artifact in gone]


def attempts_of(
    store: ml_metadata.MetadataStore, ir: pipeline_pb2.Pipeline, node_id: str
) -> list[Any]:
    """The executions of a node in this run; a resolver that was repeated has several."""
    run_id = ir.runtime_spec.pipeline_run_id.field_value.string_value
    run = store.get_context_by_type_and_name("pipeline_run", run_id)
    node = store.get_context_by_type_and_name("node", f"{ir.pipeline_info.id}.{node_id}")
    if run is None or node is None:
        return []
    return [
        execution
        for execution in store.get_executions_by_context(run.id)
        if any(item.id == node.id for item in store.get_contexts_by_execution(execution.id))
    ]

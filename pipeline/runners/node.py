"""Launches one node of a compiled pipeline with TFX's launcher, and says how it ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import launcher
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import pipeline_pb2

from components.errors import NodeFailed, WaybillError
from pipeline.recording.recorder import Recorder
from pipeline.runners import beam_engine
from pipeline.runners.transient import is_transient

# How a node that did not fail ended: `skipped` by a condition of the graph.
Ending = Literal["done", "cached", "skipped"]
_MAX_CHARACTERS = 500


def launch(ir: pipeline_pb2.Pipeline, node_id: str, *, log: Path | None = None) -> Ending:
    """Runs a node, or finds its result in the cache; all that happens is recorded.

    Args:
        ir: the compiled pipeline, with its run's id filled in.
        node_id: which node; the nodes it reads from must have ended in the same run.
        log: the file of what the libraries say, to record.

    Raises:
        WaybillError: what the node refused.
        NodeFailed: it failed, or its inputs could not be resolved, for which the launcher raises
            nothing.
    """
    connection = connection_of(ir)
    with Recorder.of(ir, connection, log=log).node(node_id) as record:
        execution = _launch(ir, node_id, connection)
        if execution is None:
            return "skipped"
        record.execution_id = execution.id
        if not execution_lib.is_execution_successful(execution):
            raise NodeFailed(f"{node_id}: its inputs could not be resolved.")
    cached = metadata_store_pb2.Execution.CACHED
    return "cached" if execution.last_known_state == cached else "done"


def _launch(ir: pipeline_pb2.Pipeline, node_id: str, connection: Any) -> Any | None:
    """The execution that the launcher made; None where a condition skipped the node."""
    deployment = runner_utils.extract_local_deployment_config(ir)
    full = runner_utils.extract_executor_spec(deployment, node_id)
    spec, operators = beam_engine.split(full)
    try:
        info = launcher.Launcher(
            pipeline_node=find(ir, node_id),
            mlmd_connection=metadata.Metadata(connection),
            pipeline_info=ir.pipeline_info,
            pipeline_runtime_spec=ir.runtime_spec,
            executor_spec=spec,
            custom_executor_operators=operators,
            custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, node_id),
        ).launch()
        if info is None or info.execution_id is None:
            return None
        with metadata.Metadata(connection) as handle:
            [execution] = handle.store.get_executions_by_id([info.execution_id])
    except WaybillError:
        raise
    except BaseException as error:
        failure = NodeFailed(f"{node_id} failed: {_summary(error)}")
        failure.is_transient = is_transient(error)
        raise failure from error
    return execution


def find(ir: pipeline_pb2.Pipeline, node_id: str) -> pipeline_pb2.PipelineNode:
    """A node of the pipeline by its id."""
    return next(
        item.pipeline_node for item in ir.nodes if item.pipeline_node.node_info.id == node_id
    )


def connection_of(ir: pipeline_pb2.Pipeline) -> Any:
    """How the compiled pipeline connects to ML Metadata: one of its connection messages."""
    config = runner_utils.extract_local_deployment_config(ir).metadata_connection_config
    return getattr(config, config.WhichOneof("connection_config"))


def set_connection(ir: pipeline_pb2.Pipeline, connection: Any) -> None:
    """Makes the compiled pipeline use a metadata store: a message as `connection_of` returns."""
    config = pipeline_pb2.IntermediateDeploymentConfig()
    ir.deployment_config.Unpack(config)
    config.metadata_connection_config.Pack(connection)
    ir.deployment_config.Pack(config)


def _summary(error: BaseException) -> str:
    """The last line that says something: Beam appends the whole history of an element."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = next((line for line in lines if "Error" in line or "error" in line), None)
    return (text or (lines[0] if lines else type(error).__name__))[:_MAX_CHARACTERS]

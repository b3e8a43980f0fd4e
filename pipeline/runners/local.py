"""Runs a compiled pipeline in this process: TFX's launcher for each node, as soon as it can run.

Two nodes may run at once: Evaluator and ServingCheck both need only the model, and the check
mostly waits for the process that it started.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from tfx.dsl.compiler.compiler import Compiler
from tfx.dsl.compiler.constants import PIPELINE_RUN_ID_PARAMETER_NAME
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.portable import launcher, runtime_parameter_utils
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import pipeline_pb2

from components import interruption
from components.errors import Interrupted, NodeFailed, WaybillError
from pipeline.plan import Plan, Step
from pipeline.runners import beam_startup

_WORKERS = 2
# What a node may take to save when it is interrupted, and then to end.
_SAVE_S, _END_S = 20.0, 5.0

OnNode = Callable[[str, str, float], None]


def compile_pipeline(pipeline: Pipeline, plan: Plan, run_id: str) -> pipeline_pb2.Pipeline:
    """Compiles to TFX IR, with each node's fingerprint and the plan's decision on its cache.

    Args:
        pipeline: the graph.
        plan: what runs and what is cached.
        run_id: names the run in ML Metadata.
    """
    ir = Compiler().compile(pipeline)
    runtime_parameter_utils.substitute_runtime_parameter(
        ir, {PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
    )
    for item in ir.nodes:
        node = item.pipeline_node
        step = plan.step(node.node_info.id)
        node.execution_options.caching_options.enable_cache = not step.runs
        if step.node.is_cacheable:
            for name, value in step.properties.items():
                node.parameters.parameters[name].field_value.string_value = value
    return ir


def run(ir: pipeline_pb2.Pipeline, plan: Plan, on_node: OnNode) -> None:
    """Runs every node that the plan wants, each after the nodes it needs.

    Args:
        ir: the compiled pipeline.
        plan: which nodes; the ones left out are not launched.
        on_node: called with (node, state, seconds) when a node is `running`, `done`, `cached`
            `failed`, or `stopped` by an interrupt; from any thread.

    Raises:
        WaybillError: a node refused or failed; nodes that need it were not started.
        KeyboardInterrupt: the run was interrupted; a node that can has saved what it has.
    """
    beam_startup.install()
    # TFX's Beam executors read the process's flags as theirs; ours have other meanings.
    sys.argv[1:] = []
    deployment = runner_utils.extract_local_deployment_config(ir)
    nodes = {item.pipeline_node.node_info.id: item.pipeline_node for item in ir.nodes}
    waiting = {step.node.id: step for step in plan.steps if step.action != "skip"}
    running: dict[Future[None], str] = {}
    done: set[str] = set()
    error: BaseException | None = None
    pool = ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix="node")
    try:
        while waiting or running:
            ready = [
                step
                for step in waiting.values()
                if error is None and all(name in done for name in step.node.upstream)
            ]
            for step in ready[: _WORKERS - len(running)]:
                del waiting[step.node.id]
                task = pool.submit(_launch, ir, deployment, nodes[step.node.id], step, on_node)
                running[task] = step.node.id
            if not running:
                break
            finished, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            for task in finished:
                name = running.pop(task)
                if task.exception() is None:
                    done.add(name)
                else:
                    error = error or task.exception()
    except KeyboardInterrupt:
        _let_save(running)
        raise
    finally:
        # An interrupted run must not wait for a node's end: the caller clears up and exits.
        pool.shutdown(wait=False)
    if error is not None:
        raise error


def _let_save(running: Collection[Future[None]]) -> None:
    """Gives a node that saves on request the time to do so, unless it is interrupted again.

    The launcher, too, has then written down how the node ended.
    """
    if interruption.is_saving() and interruption.request(timeout_s=_SAVE_S):
        wait(running, timeout=_END_S, return_when=FIRST_COMPLETED)


def _launch(
    ir: pipeline_pb2.Pipeline,
    deployment: Any,
    node: pipeline_pb2.PipelineNode,
    step: Step,
    on_node: OnNode,
) -> None:
    name = node.node_info.id
    threading.current_thread().name = name
    started = time.monotonic()
    on_node(name, "running", 0.0)
    connection = getattr(
        deployment.metadata_connection_config,
        deployment.metadata_connection_config.WhichOneof("connection_config"),
    )
    try:
        info = launcher.Launcher(
            pipeline_node=node,
            mlmd_connection=metadata.Metadata(connection),
            pipeline_info=ir.pipeline_info,
            pipeline_runtime_spec=ir.runtime_spec,
            executor_spec=runner_utils.extract_executor_spec(deployment, name),
            custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, name),
        ).launch()
        # The launcher returns normally when inputs could not be resolved.
        if info is not None and info.execution_id is not None:
            with metadata.Metadata(connection) as handle:
                [execution] = handle.store.get_executions_by_id([info.execution_id])
            if not execution_lib.is_execution_successful(execution):
                raise NodeFailed(f"{name}: its inputs could not be resolved.")
    except BaseException as error:
        state = "stopped" if isinstance(error, Interrupted) else "failed"
        on_node(name, state, time.monotonic() - started)
        if isinstance(error, WaybillError):
            raise
        raise NodeFailed(f"{name} failed: {_summary(error)}") from error
    state = "done" if step.runs else "cached"
    on_node(name, state, time.monotonic() - started)


def _summary(error: BaseException) -> str:
    """The last line that says something: Beam appends the whole history of an element."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = next((line for line in lines if "Error" in line or "error" in line), None)
    return (text or (lines[0] if lines else type(error).__name__))[:500]

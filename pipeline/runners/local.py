"""Runs nodes of a compiled pipeline in this process, one after the other.

Evaluator and ServingCheck both need only the model and could run at once. On two cores that saved
no time, and the answers that the check timed took three to six times as long.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from tfx.dsl.compiler.compiler import Compiler
from tfx.dsl.compiler.constants import PIPELINE_RUN_ID_PARAMETER_NAME
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.portable import runtime_parameter_utils
from tfx.proto.orchestration import pipeline_pb2

from components import interruption
from components.errors import Interrupted
from pipeline.plan import Plan
from pipeline.recording.recorder import Recorder
from pipeline.runners import beam_startup
from pipeline.runners.node import connection_of, launch

# What a node may take to save when it is interrupted, and then to end.
_SAVE_S, _END_S = 20.0, 5.0

OnNode = Callable[[str, str, float], None]


def compile_pipeline(
    pipeline: Pipeline, plan: Plan, run_id: str | None = None
) -> pipeline_pb2.Pipeline:
    """Compiles to TFX IR, with each node's fingerprint and the plan's decision on its cache.

    Args:
        pipeline: the graph.
        plan: what runs and what is cached.
        run_id: names the run in ML Metadata; None leaves it open.
    """
    ir = Compiler().compile(pipeline)
    if run_id is not None:
        set_run_id(ir, run_id)
    for item in ir.nodes:
        node = item.pipeline_node
        step = plan.step(node.node_info.id)
        node.execution_options.caching_options.enable_cache = not step.runs
        if step.node.is_cacheable:
            for name, value in step.properties.items():
                node.parameters.parameters[name].field_value.string_value = value
    return ir


def set_run_id(ir: pipeline_pb2.Pipeline, run_id: str) -> None:
    """Fills in what names the run in ML Metadata."""
    runtime_parameter_utils.substitute_runtime_parameter(
        ir, {PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
    )


def run(
    ir: pipeline_pb2.Pipeline,
    wanted: Collection[str],
    on_node: OnNode,
    *,
    facts: Mapping[str, str | int],
    log: Path | None = None,
) -> None:
    """Runs the wanted nodes in the order of the pipeline, each after those that it needs.

    Args:
        ir: the compiled pipeline, with its run's id filled in.
        wanted: the ids of the nodes; what else they need has ended in the same run.
        on_node: called with (node, state, seconds) when a node is `running`, `done`, `cached`,
            `skipped`, `failed`, or `stopped` by an interrupt; from any thread.
        facts: what to record of the run (`pipeline.recording.facts`).
        log: the file of what the libraries say, to record.

    Raises:
        WaybillError: a node refused or failed; no other was started after it.
        KeyboardInterrupt: the run was interrupted; a node that can has saved what it has.
    """
    beam_startup.install()
    # TFX's Beam executors read the process's flags as theirs; ours have other meanings.
    sys.argv[1:] = []
    recorder = Recorder.of(ir, connection_of(ir), log=log)
    recorder.start(ir.nodes[0].pipeline_node.contexts, facts)
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="node")
    task: Future[None] | None = None
    try:
        for item in ir.nodes:
            name = item.pipeline_node.node_info.id
            if name in wanted:
                task = pool.submit(_launch, ir, name, on_node, log)
                task.result()
    except KeyboardInterrupt:
        _let_save(task)
        raise
    finally:
        # An interrupted run must not wait for a node's end: the caller clears up and exits.
        pool.shutdown(wait=False)


def _let_save(task: Future[None] | None) -> None:
    """Gives a node that saves on request the time to do so, unless it is interrupted again.

    The launcher, too, has then written down how the node ended.
    """
    if task and interruption.is_saving() and interruption.request(timeout_s=_SAVE_S):
        wait([task], timeout=_END_S)


def _launch(ir: pipeline_pb2.Pipeline, name: str, on_node: OnNode, log: Path | None) -> None:
    threading.current_thread().name = name
    started = time.monotonic()
    on_node(name, "running", 0.0)
    try:
        state: str = launch(ir, name, log=log)
    except BaseException as error:
        state = "stopped" if isinstance(error, Interrupted) else "failed"
        on_node(name, state, time.monotonic() - started)
        raise
    on_node(name, state, time.monotonic() - started)

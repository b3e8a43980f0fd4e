"""Nodes of a run on this machine, run once more on a cluster, and what both left behind."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from components.errors import NodeFailed
from tests.cluster import comparing
from tests.cluster.install import job_server_jar
from tests.command import Result, call

# A model of few steps is as good to evaluate as one of many.
SHORT = ("--set", "training.steps=100")
# For a machine that has much else to do.
_END_S = 3000.0


def flags(engine: str, **settings: object) -> list[str]:
    """The flags that put a run on an engine."""
    values = {"job_server_jar": job_server_jar(engine), **settings}
    own = [f"beam.{engine}.{key}={value}" for key, value in values.items()]
    return [word for text in (f"beam.runner={engine}", *own) for word in ("--set", text)]


def start(root: Path, *more: str) -> subprocess.Popen[str]:
    """Starts a run."""
    return call(root, *SHORT, *more)


def end(process: subprocess.Popen[str]) -> str:
    """Waits for a run that has to succeed; returns what it printed."""
    stdout, stderr = process.communicate(timeout=_END_S)
    assert process.returncode == 0, stdout + stderr
    return stdout


def fail(process: subprocess.Popen[str]) -> str:
    """Waits for a run that has to fail; returns the error that it printed."""
    stdout, stderr = process.communicate(timeout=_END_S)
    assert process.returncode == NodeFailed.exit_code, stdout + stderr
    return stderr


def wait(process: subprocess.Popen[str], is_so: Callable[[], bool]) -> None:
    """Waits for a state of the cluster while a run goes on."""
    while not is_so():
        assert process.poll() is None, "".join(process.communicate())
        time.sleep(0.5)


def again(root: Path, node: str, *more: str) -> subprocess.Popen[str]:
    """Starts one node once more in a root."""
    return start(root, "--from", node, "--to", node, *more)


def check_evaluation(local: Result) -> None:
    """The metrics of the first and the newest evaluation are the same."""
    first, second = comparing.outputs(local, "Evaluator", "evaluation")
    assert comparing.metrics(second) == pytest.approx(comparing.metrics(first), rel=1e-6)


def check_transformed(local: Result) -> None:
    """The first and the newest transformed examples are the same, but for the last digits.

    A mean is a sum, and an engine adds up in the order in which its workers happen to end.
    """
    first, second = comparing.outputs(local, "Transform", "transformed_examples")
    _check_same_examples(first.uri, second.uri, tolerance=1e-6)


def check_ingested(local: Result, root: Path) -> None:
    """The examples and statistics of a root are those of the first run."""
    pairs = {}
    for node, key in (("ExampleGen", "examples"), ("StatisticsGen", "statistics")):
        here, there = (
            result.executions("taxi", node)[-1].output(key)
            for result in (local, Result(0, "", "", root))
        )
        assert here is not None
        assert there is not None
        pairs[key] = (here.uri, there.uri)
    _check_same_examples(*pairs["examples"], tolerance=0.0)
    assert comparing.statistics_differ(*pairs["statistics"]) == []


def _check_same_examples(first: str, second: str, *, tolerance: float) -> None:
    for split in comparing.SPLITS:
        assert comparing.examples_differ(first, second, split, tolerance=tolerance) == (0, 0), split
        assert comparing.num_examples(first, split) > 5000

"""Nodes of a local run, run once more on a cluster, and what both left behind."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cluster import comparing
from tests.cluster.install import job_server_jar
from tests.command import Result, call


def flags(engine: str, **settings: object) -> list[str]:
    """The flags that put a run on an engine."""
    values = {"job_server_jar": job_server_jar(engine), **settings}
    own = [f"beam.{engine}.{key}={value}" for key, value in values.items()]
    return [word for text in (f"beam.runner={engine}", *own) for word in ("--set", text)]


def again(root: Path, node: str, *more: str) -> subprocess.Popen[str]:
    """Starts one node once more in a root."""
    return call(root, "--from", node, "--to", node, *more)


def end(process: subprocess.Popen[str]) -> str:
    """Waits for a run that has to succeed; returns what it printed."""
    stdout, stderr = process.communicate(timeout=3000)
    assert process.returncode == 0, stdout + stderr
    return stdout


def check_evaluation(local: Result) -> None:
    """The metrics of both evaluations are the same."""
    first, second = comparing.outputs(local, "Evaluator", "evaluation")
    assert comparing.metrics(second) == pytest.approx(comparing.metrics(first), rel=1e-6)


def check_statistics(local: Result) -> None:
    """Both statistics are the same."""
    first, second = comparing.outputs(local, "StatisticsGen", "statistics")
    assert comparing.statistics_differ(first.uri, second.uri) == []


def check_transformed(local: Result) -> None:
    """The transformed examples of both runs are the same."""
    first, second = comparing.outputs(local, "Transform", "transformed_examples")
    for split in comparing.SPLITS:
        rows = comparing.examples(first.uri, split)
        assert rows == comparing.examples(second.uri, split)
        assert rows.total() > 5000

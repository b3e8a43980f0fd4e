"""A run on Flink gives what a local run gives, also when a worker is lost in the middle of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cluster import flink
from tests.cluster.flink import Flink
from tests.cluster.runs import (
    again,
    check_evaluation,
    check_statistics,
    check_transformed,
    end,
    flags,
)
from tests.command import Command, Result

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def cluster(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flink]:
    with flink.cluster(installed, tmp_path_factory.mktemp("flink")) as found:
        yield found


def test_evaluator_gives_the_same_metrics(cluster: Flink, local: Result) -> None:
    end(again(local.root, "Evaluator", *flags("flink", master=cluster.master)))
    assert cluster.overview["jobs-finished"] == 1
    check_evaluation(local)


def test_statistics_are_the_same_from_workers_of_a_pool(
    cluster: Flink, local: Result, pool: str
) -> None:
    workers = {"environment_type": "EXTERNAL", "worker_pool": pool}
    end(again(local.root, "StatisticsGen", *flags("flink", master=cluster.master, **workers)))
    check_statistics(local)


def test_our_own_readers_write_the_same_rows(
    cluster: Flink, local: Result, run_local: Command, tmp_path: Path
) -> None:
    result = run_local(tmp_path, "--to", "ExampleGen", *flags("flink", master=cluster.master))
    assert result.exit_code == 0, result.stderr
    for split in ("train", "eval"):
        here, there = (
            run.executions("taxi", "ExampleGen")[-1].output("examples") for run in (local, result)
        )
        assert here is not None
        assert there is not None
        key = f"num_rows_{split}"
        assert here.properties[key] == there.properties[key]


def test_a_result_of_the_cluster_is_used_by_a_local_run(
    cluster: Flink, local: Result, run_local: Command
) -> None:
    result = run_local(local.root, "--to", "StatisticsGen")
    assert result.states["StatisticsGen"] == "cached"


def test_transform_is_right_although_a_worker_was_killed(cluster: Flink, local: Result) -> None:
    """The last test of the file: it leaves one worker."""
    run = again(local.root, "Transform", *flags("flink", master=cluster.master))
    wait_for_work(cluster)
    cluster.processes.kill("taskmanager-2")
    end(run)
    assert cluster.restarts() > 0
    assert cluster.overview["taskmanagers"] == flink.NUM_WORKERS - 1
    check_transformed(local)


def wait_for_work(cluster: Flink) -> None:
    """Until a job has done some of its tasks and is at others."""
    while True:
        with contextlib.suppress(httpx.HTTPError):
            answer = httpx.get(f"http://{cluster.master}/jobs/overview", timeout=60).json()
            for job in answer["jobs"]:
                tasks = job["tasks"]
                if job["state"] == "RUNNING" and tasks["running"] and tasks["finished"]:
                    return
        time.sleep(0.5)

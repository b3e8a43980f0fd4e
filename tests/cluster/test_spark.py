"""A run on Spark gives what a local run gives, or fails if it lost a worker on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import spark
from tests.cluster.conftest import Pool, installed
from tests.cluster.runs import (
    again,
    check_evaluation,
    check_ingested,
    check_transformed,
    end,
    fail,
    flags,
    start,
    wait,
)
from tests.cluster.spark import Spark
from tests.command import Result

pytestmark = pytest.mark.cluster

# An executor that is slow to unpack its first task never says again that it is alive: Beam's
# counters are not whole by then, which ends the thread that says so. And on one machine a worker
# would go on reading the files of one that was killed; of another machine they would be gone.
SETTINGS = {
    "executor.heartbeatInterval": "300s",
    "network.timeout": "1800s",
    "shuffle.readHostLocalDisk": "false",
}
PROPERTIES = [f"--job_server_jvm_properties=-Dspark.{key}={SETTINGS[key]}" for key in SETTINGS]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spark]:
    with (
        pytest.MonkeyPatch.context() as patch,
        spark.cluster(installed("spark"), tmp_path_factory.mktemp("spark")) as found,
    ):
        # The job server is Spark's driver, which the workers call back.
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        yield found


def spark_flags(cluster: Spark, **settings: object) -> list[str]:
    args = f"beam.args={json.dumps(PROPERTIES)}"
    return [*flags("spark", master=cluster.master, **settings), "--set", args]


def test_evaluator_gives_the_same_metrics(cluster: Spark, local: Result) -> None:
    end(again(local.root, "Evaluator", *spark_flags(cluster)))
    assert cluster.num_finished == 1
    check_evaluation(local)


def test_workers_of_a_pool_give_the_same_examples_and_statistics(
    cluster: Spark, local: Result, pool: Pool, tmp_path: Path
) -> None:
    before = cluster.num_finished
    workers = {"environment_type": "EXTERNAL", "worker_pool": pool.address}
    end(start(tmp_path, "--to", "StatisticsGen", *spark_flags(cluster, **workers)))
    assert cluster.num_finished == before + 2
    assert pool.num_started >= 1
    check_ingested(local, tmp_path)


def test_a_job_that_lost_a_worker_fails_and_the_same_command_ends_right(
    cluster: Spark, local: Result
) -> None:
    """The last test of the file: it leaves one worker."""
    command = spark_flags(cluster)
    run = again(local.root, "Transform", *command)
    wait(run, lambda: cluster.num_tasks_done(cluster.busiest_worker()) > 30)
    cluster.processes.kill(cluster.busiest_worker())
    assert "Spark lost a part of this job" in fail(run)
    assert cluster.has_lost_an_executor()

    end(again(local.root, "Transform", *command))
    assert cluster.overview["aliveworkers"] == len(spark.WORKERS) - 1
    check_transformed(local)

"""A run on Spark gives what a local run gives, also when a worker is lost in the middle of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cluster import spark
from tests.cluster.runs import (
    again,
    check_evaluation,
    check_statistics,
    check_transformed,
    end,
    flags,
)
from tests.cluster.spark import Spark
from tests.command import Result

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def cluster(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spark]:
    with (
        pytest.MonkeyPatch.context() as patch,
        spark.cluster(installed, tmp_path_factory.mktemp("spark")) as found,
    ):
        # The job server is Spark's driver, which the workers call back.
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        yield found


def test_evaluator_gives_the_same_metrics(cluster: Spark, local: Result) -> None:
    end(again(local.root, "Evaluator", *flags("spark", master=cluster.master)))
    check_evaluation(local)


def test_statistics_are_the_same_from_workers_of_a_pool(
    cluster: Spark, local: Result, pool: str
) -> None:
    workers = {"environment_type": "EXTERNAL", "worker_pool": pool}
    end(again(local.root, "StatisticsGen", *flags("spark", master=cluster.master, **workers)))
    check_statistics(local)


def test_transform_is_right_although_a_worker_was_killed(cluster: Spark, local: Result) -> None:
    """The last test of the file: it leaves one worker."""
    run = again(local.root, "Transform", *flags("spark", master=cluster.master))
    wait_for_work(cluster)
    cluster.processes.kill("worker-2")
    end(run)
    assert cluster.overview["aliveworkers"] == spark.NUM_WORKERS - 1
    check_transformed(local)


def wait_for_work(cluster: Spark) -> None:
    """Until a worker's executor has finished tasks of a job."""
    log = cluster.processes.folder / "work-2"
    while True:
        with contextlib.suppress(httpx.HTTPError, OSError):
            newest = max(log.glob("app-*"), default=None)
            active = cluster.overview["activeapps"]
            if active and newest is not None:
                text = "".join(path.read_text() for path in newest.glob("*/stderr"))
                if text.count("Finished task") > 3:
                    return
        time.sleep(0.5)

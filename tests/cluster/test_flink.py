"""A run on Flink gives what a local run gives, also when a worker is lost in the middle of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import flink
from tests.cluster.conftest import Pool, installed
from tests.cluster.flink import Flink
from tests.cluster.runs import (
    again,
    check_evaluation,
    check_ingested,
    check_transformed,
    end,
    flags,
    start,
    wait,
)
from tests.command import Command, Result

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flink]:
    with flink.cluster(installed("flink"), tmp_path_factory.mktemp("flink")) as found:
        yield found


def test_evaluator_gives_the_same_metrics(cluster: Flink, local: Result) -> None:
    before = cluster.overview["jobs-finished"]
    end(again(local.root, "Evaluator", *flags("flink", master=cluster.master)))
    assert cluster.overview["jobs-finished"] == before + 1
    check_evaluation(local)


def test_workers_of_a_pool_give_the_same_examples_and_statistics(
    cluster: Flink, local: Result, pool: Pool, run_local: Command, tmp_path: Path
) -> None:
    before = cluster.overview["jobs-finished"]
    workers = {"environment_type": "EXTERNAL", "worker_pool": pool.address}
    to = ("--to", "StatisticsGen")
    end(start(tmp_path, *to, *flags("flink", master=cluster.master, **workers)))
    assert cluster.overview["jobs-finished"] == before + 2
    assert pool.num_started >= flink.NUM_WORKERS
    check_ingested(local, tmp_path)

    # What the cluster made counts on this machine too.
    states = run_local(tmp_path, *to).states
    assert {node: states[node] for node in ("ExampleGen", "StatisticsGen")} == {
        "ExampleGen": "cached",
        "StatisticsGen": "cached",
    }


def test_transform_is_right_although_a_worker_was_killed(cluster: Flink, local: Result) -> None:
    """The last test of the file: it leaves one worker."""
    run = again(local.root, "Transform", *flags("flink", master=cluster.master))
    wait(run, cluster.is_amid_a_job)
    lost = cluster.busy_workers()[0]
    cluster.processes.kill(lost)
    end(run)
    assert cluster.overview["taskmanagers"] == flink.NUM_WORKERS - 1
    assert lost in cluster.blamed()
    check_transformed(local)

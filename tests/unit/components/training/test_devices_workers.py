"""Trainings in processes of their own: what comes back from them, and how they agree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components import progress
from components.errors import ConfigError, DataRejected, NodeFailed
from components.training.checkpoints import Checkpoints, make_key
from components.training.cluster import local_clusters
from components.training.job import Job
from components.training.run import Outputs
from components.training.settings import ExecutionSettings
from components.training.workers import needs_own_process, train_job
from tests.unit.components.training.datasets import PROJECT, Dataset, job
from tests.unit.components.training.devices import start_team

MIRRORED = {"strategy": "mirrored", "virtual_devices": 2}
QUIET = {"tensorboard": False, "plots": False}


def broken(labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    raise RuntimeError("the loss fell over")


def outputs(root: Path) -> Outputs:
    return Outputs(root / "model" / "1", root / "model_run" / "1", root / "checkpoints")


@pytest.mark.parametrize(
    ("settings", "needs"),
    [
        ({}, False),
        ({"strategy": "mirrored"}, False),
        (MIRRORED, True),
        ({"strategy": "multi_worker", "workers": 2}, True),
        ({"deterministic": True}, True),
    ],
)
def test_only_what_cannot_be_set_here_runs_elsewhere(settings: dict[str, Any], needs: bool) -> None:
    assert needs_own_process(ExecutionSettings(**settings)) is needs


@pytest.mark.slow
def test_a_process_of_its_own_leaves_the_model_and_this_process_as_it_was(
    wine: Dataset, tmp_path: Path
) -> None:
    made = job(wine, steps=60, watch=QUIET, execution=MIRRORED | {"deterministic": True})
    reports: list[dict[str, progress.Value]] = []
    with progress.listen(lambda node, values: reports.append(values)):
        train_job(made, outputs(tmp_path))
    assert any("2 x CPU, mirrored" in str(values.get("note")) for values in reports)
    assert max(int(values.get("step", 0)) for values in reports) == 60
    history = json.loads((tmp_path / "model_run" / "1" / "history.json").read_text())
    assert history["evaluations"][-1]["step"] == 60
    loaded = tf.saved_model.load(str(tmp_path / "model" / "1"))
    assert "serving_default" in loaded.signatures
    assert len(tf.config.list_logical_devices("CPU")) == 1
    assert not _is_deterministic()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "kind", "says"),
    [
        ({"model": {"name": "cnn"}}, ConfigError, "cnn is for images"),
        (
            {"batch_size": 100_000, "input": {"remainder": "drop"}},
            DataRejected,
            "make no batch of 100000",
        ),
        (
            {"loss": {"name": f"{__name__}:broken"}},
            NodeFailed,
            "RuntimeError: .*the loss fell over",
        ),
    ],
    ids=["ConfigError", "DataRejected", "other"],
)
def test_an_error_comes_back_as_itself(
    settings: dict[str, Any], kind: type[Exception], says: str, wine: Dataset, tmp_path: Path
) -> None:
    made = job(wine, steps=20, watch=QUIET, execution=MIRRORED, **settings)
    with pytest.raises(kind, match=says) as caught:
        train_job(made, outputs(tmp_path))
    assert type(caught.value) is kind
    assert not (tmp_path / "model").exists()


def test_only_worker_0_runs_the_pipeline(
    wine: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = {"worker": ["a:1", "b:1"]}
    config = {"cluster": cluster, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    with pytest.raises(ConfigError, match=r"says that this is worker 1\. Run the pipeline as"):
        train_job(job(wine, execution={"strategy": "multi_worker"}), outputs(tmp_path))


def test_how_often_it_is_tried_does_not_make_it_another_training(wine: Dataset) -> None:
    made = [
        job(wine, execution={"strategy": "multi_worker", "workers": 2, "restarts": restarts})
        for restarts in (0, 5)
    ]
    assert made[0].facts() == made[1].facts()
    assert job(wine, execution={"strategy": "multi_worker"}).facts() != made[0].facts()


@pytest.mark.slow
def test_workers_stop_at_one_step_when_the_time_is_over(wine: Dataset, tmp_path: Path) -> None:
    execution = {"strategy": "multi_worker", "workers": 2, "steps_per_call": 5}
    settings = {"steps": 10**6, "time_limit_s": 1.5, "execution": execution, "watch": QUIET}
    made = job(wine, **settings)
    train_job(made, outputs(tmp_path))
    found = _checkpoint(tmp_path, made)
    assert found.decisions.ended_by == "the time limit of 1.5 s"
    assert 0 < found.step < 10**6
    for value in found.values:
        assert np.isfinite(value).all()


@pytest.mark.slow
def test_workers_without_a_common_folder_of_checkpoints_are_told(
    wine: Dataset, tmp_path: Path
) -> None:
    # Each keeps its checkpoints to itself, and only the chief has one to go on from.
    cases = {"apart": {"steps": 20, "batch_size": 24}}
    team = start_team(tmp_path, wine, cases, 2, pauses=["apart"])
    said = [process.communicate(timeout=240)[0] for process in team]
    assert all(process.returncode for process in team)
    assert any(
        "the workers found checkpoints of different steps: 10, 0. All must see one" in text
        for text in said
    ), said[0][-2000:]


@pytest.mark.slow
def test_a_cluster_trains_with_the_pipeline_as_worker_0(
    wine: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = local_clusters(2)
    monkeypatch.setenv("TF_CONFIG", here)
    made = job(wine, steps=40, watch=QUIET, execution={"strategy": "multi_worker"})
    with ThreadPoolExecutor(1) as pool:
        chief = pool.submit(train_job, made, outputs(tmp_path))
        [task] = _wait_for(tmp_path, "checkpoints/*/task.json")
        other = subprocess.run(
            [sys.executable, "-m", "components.training.worker", str(task)],
            cwd=PROJECT,
            env={**os.environ, "TF_CONFIG": there},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        chief.result(timeout=60)
    assert other.returncode == 0, other.stderr[-2000:]
    assert (tmp_path / "model" / "1" / "saved_model.pb").exists()
    assert _checkpoint(tmp_path, made).step == 40


def test_a_worker_without_a_task_says_what_to_name(tmp_path: Path) -> None:
    missing = subprocess.run(
        [sys.executable, "-m", "components.training.worker", str(tmp_path / "task.json")],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert missing.returncode == ConfigError.exit_code
    assert "task.json cannot be read" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_local_workers_do_not_share_gpus(
    wine: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    made = job(wine, execution={"strategy": "multi_worker", "workers": 2})
    with pytest.raises(ConfigError, match="2 processes would all take the same GPUs"):
        train_job(made, outputs(tmp_path))


def _wait_for(folder: Path, pattern: str) -> list[Path]:
    limit = time.monotonic() + 60
    while not (found := list(folder.glob(pattern))):
        assert time.monotonic() < limit
        time.sleep(0.05)
    return found


def _checkpoint(root: Path, made: Job) -> Any:
    facts = made.facts()
    return Checkpoints(root / "checkpoints" / make_key(facts), facts).latest()


def _is_deterministic() -> bool:
    from tensorflow.python.framework import config

    return config.is_op_determinism_enabled()

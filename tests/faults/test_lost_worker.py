"""Trainings in several processes, of which some are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components import interruption, progress
from components.errors import Interrupted, NodeFailed
from components.training.checkpoints import Checkpoints, make_key
from components.training.job import Job
from components.training.run import Outputs
from components.training.worker import task_json
from components.training.workers import train_job
from tests.unit.components.training.datasets import (
    PROJECT,
    TAXI,
    Dataset,
    job,
    make_dataset,
    taxi_rows,
)

SETTINGS: dict[str, Any] = {
    "steps": 400,
    "batch_size": 30,
    "checkpoint_every_steps": 40,
    "model": {"dropout": 0.2},
    "optimizer": {"ema": 0.9},
    "watch": {"tensorboard": False, "plots": False},
    "execution": {"strategy": "multi_worker", "workers": 2, "steps_per_call": 10},
}
Report = dict[str, progress.Value]


@pytest.fixture(scope="module")
def taxi(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_dataset(tmp_path_factory.mktemp("taxi"), TAXI, taxi_rows(600))


@pytest.fixture(autouse=True)
def no_request() -> Iterator[None]:
    yield
    interruption.clear()


def workers(parent: int) -> dict[int, int]:
    """The process of each worker that `parent` has started, by its number."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_child = f"PPid:\t{parent}\n" in (folder / "status").read_text()
            environment = (folder / "environ").read_text() if is_child else ""
        except OSError:
            continue
        if "TF_CONFIG=" in environment:
            found[int(environment.rpartition('"index": ')[2][0])] = int(folder.name)
    return found


def outputs(root: Path) -> Outputs:
    return Outputs(root / "model" / "1", root / "model_run" / "1", root / "checkpoints")


def checkpoint(root: Path, made: Job) -> Any:
    facts = made.facts()
    return Checkpoints(root / "checkpoints" / make_key(facts), facts).latest()


def train_and(
    act: Callable[[int], None], root: Path, made: Job, *, at: tuple[int, ...]
) -> list[str]:
    """Trains, and acts once after each of these steps; returns the notes."""
    notes: list[str] = []
    due = list(at)

    def listen(node: str, values: Report) -> None:
        if "note" in values:
            notes.append(str(values["note"]))
        if due and int(values.get("step", 0)) >= due[0]:
            act(due.pop(0))

    with progress.listen(listen):
        train_job(made, outputs(root))
    assert not due, "it ended before it could be disturbed"
    return notes


@pytest.mark.slow
def test_killed_workers_start_again_and_train_to_the_same_bits(
    taxi: Dataset,
    tmp_path: Path,
) -> None:
    made = job(taxi, **SETTINGS)

    def kill(step: int) -> None:
        number = 1 if step < 200 else 0  # First the other one, then the chief.
        os.kill(workers(os.getpid())[number], signal.SIGKILL)

    notes = train_and(kill, tmp_path / "killed", made, at=(60, 220))
    assert [note.partition(";")[0] for note in notes if "killed" in note] == [
        "worker 1 was killed by SIGKILL",
        "worker 0 was killed by SIGKILL",
    ]
    assert not workers(os.getpid())
    train_and(lambda step: None, tmp_path / "alone", made, at=())
    killed, alone = (checkpoint(tmp_path / name, made) for name in ("killed", "alone"))
    assert killed.step == alone.step == 400
    for value, expected in zip(killed.values, alone.values, strict=True):
        np.testing.assert_array_equal(value, expected)
    assert [point.loss for point in killed.history.curve] == [
        point.loss for point in alone.history.curve
    ]
    for name in ("killed", "alone"):
        assert (tmp_path / name / "model" / "1" / "saved_model.pb").exists()


@pytest.mark.slow
def test_workers_that_are_lost_too_often_end_the_training(
    taxi: Dataset,
    tmp_path: Path,
) -> None:
    execution = SETTINGS["execution"] | {"restarts": 0}
    made = job(taxi, **SETTINGS | {"execution": execution})
    with pytest.raises(NodeFailed, match=r"worker 1 was killed by SIGKILL, after 0 restarts"):
        train_and(
            lambda step: os.kill(workers(os.getpid())[1], signal.SIGKILL),
            tmp_path,
            made,
            at=(20,),
        )
    assert not workers(os.getpid())


@pytest.mark.slow
def test_a_stopped_training_saves_and_goes_on(taxi: Dataset, tmp_path: Path) -> None:
    made = job(taxi, **SETTINGS | {"checkpoint_every_steps": 1000})
    stopped: list[threading.Thread] = []

    def stop(step: int) -> None:
        stopped.append(threading.Thread(target=interruption.request, kwargs={"timeout_s": 60}))
        stopped[0].start()

    with pytest.raises(Interrupted, match=r"saved after step \d+"):
        train_and(stop, tmp_path, made, at=(30,))
    stopped[0].join(timeout=60)
    assert not workers(os.getpid())
    saved = checkpoint(tmp_path, made)
    assert 30 <= saved.step < 400
    interruption.clear()
    train_and(lambda step: None, tmp_path, made, at=())
    assert checkpoint(tmp_path, made).step == 400


PARENT = """
import sys
from pathlib import Path
import json
from components.training.job import Job
from components.training.run import Outputs
from components.training.workers import train_job
task = json.loads(Path(sys.argv[1]).read_text())
train_job(
    Job.from_json(task["job"]), Outputs(**{n: Path(p) for n, p in task["outputs"].items()})
)
"""


@pytest.mark.slow
def test_workers_do_not_outlive_their_parent(taxi: Dataset, tmp_path: Path) -> None:
    made = job(taxi, **SETTINGS | {"steps": 1_000_000})
    task = tmp_path / "task.json"
    task.write_text(task_json(made, outputs(tmp_path)))
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(task)], cwd=PROJECT)
    limit = time.monotonic() + 240
    while not list(tmp_path.glob("checkpoints/*/step-*")):
        assert parent.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.05)
    processes = set(workers(parent.pid).values())
    assert len(processes) == 2
    parent.kill()
    parent.wait()
    while any(Path(f"/proc/{process}").exists() for process in processes):
        assert time.monotonic() < limit
        time.sleep(0.05)

"""Trainings in processes of their own, killed and started again."""

from __future__ import annotations

import multiprocessing
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from components.training.checkpoints import Checkpoints
from components.training.run_fn import run_fn
from tests.unit.components.training.datasets import PROJECT, Dataset

# Long enough to be killed in, with all that a step can depend on: random numbers, the decay, the
# order of rows; and steps in a call that do not divide the steps between checkpoints.
SETTINGS = {
    "steps": 1000,
    "batch_size": 24,
    "dropout": 0.2,
    "l2": 1e-4,
    "steps_per_call": 7,
    "checkpoint_every_steps": 25,
    "log_every_steps": 40,
}
STREAMED = SETTINGS | {"cache_bytes": 0, "shuffle_rows": 1}

Start = Callable[[SimpleNamespace], multiprocessing.process.BaseProcess]


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Starts `run_fn` in a fresh process that has TensorFlow imported but never used."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["components.training.run_fn"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(PROJECT))

        def run(fn_args: SimpleNamespace) -> multiprocessing.process.BaseProcess:
            process = context.Process(target=run_fn, args=(fn_args,))
            process.start()
            return process

        yield run


def newest_step(root: Path) -> int:
    paths = sorted(root.glob("Trainer/checkpoints/*/step-*.ckpt"))
    return int(paths[-1].stem.split("-")[1]) if paths else 0


def final_values(root: Path) -> list[np.ndarray]:
    (directory,) = (root / "Trainer" / "checkpoints").iterdir()
    checkpoint = Checkpoints(directory.parent, key=directory.name).latest()
    assert checkpoint is not None
    return checkpoint.values


def finish(process: multiprocessing.process.BaseProcess) -> None:
    process.join(timeout=60)
    assert process.exitcode == 0


def assert_same_training(root: Path, other: Path) -> None:
    for value, expected in zip(final_values(root), final_values(other), strict=True):
        assert value.dtype == expected.dtype
        np.testing.assert_array_equal(value, expected)
    curve, expected_curve = (r / "Trainer/model_run/1/history.json" for r in (root, other))
    assert curve.read_text() == expected_curve.read_text()
    weights, expected_weights = (
        r / "Trainer/model/1/Format-Serving/variables/variables.data-00000-of-00001"
        for r in (root, other)
    )
    assert weights.read_bytes() == expected_weights.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "kills"), [(SETTINGS, 3), (STREAMED, 1)], ids=["cached", "streamed"]
)
def test_a_training_killed_again_and_again_ends_like_one_left_alone(
    taxi: Dataset, tmp_path: Path, start: Start, settings: dict, kills: int
) -> None:
    alone = start(taxi.fn_args(tmp_path / "alone", **settings))
    killed_at = []
    dice = random.Random()
    # Fresh luck each time: any moment must do. The failure message tells the moments.
    for after in sorted(dice.sample(range(1, 500), kills)):
        process = start(taxi.fn_args(tmp_path / "killed", **settings))
        while process.is_alive() and newest_step(tmp_path / "killed") < after:
            time.sleep(0.002)
        time.sleep(dice.random() * 0.02)
        killed_at.append(newest_step(tmp_path / "killed"))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, "it ended before it could be killed"
    finish(start(taxi.fn_args(tmp_path / "killed", **settings)))
    finish(alone)
    try:
        assert_same_training(tmp_path / "killed", tmp_path / "alone")
    except AssertionError as error:
        error.add_note(f"killed when the newest checkpoints were at steps {killed_at}")
        raise


def test_the_same_seed_gives_the_same_bits_in_every_process(
    taxi: Dataset, tmp_path: Path, start: Start
) -> None:
    settings = {"steps": 300, "batch_size": 24, "dropout": 0.2}
    finish(start(taxi.fn_args(tmp_path / "fresh", **settings)))
    # This process has other things in memory and has used TensorFlow before.
    run_fn(taxi.fn_args(tmp_path / "here", **settings))
    assert_same_training(tmp_path / "fresh", tmp_path / "here")


def test_a_damaged_checkpoint_costs_only_the_steps_since_the_one_before(
    taxi: Dataset, tmp_path: Path
) -> None:
    settings = {"steps": 60, "batch_size": 24, "checkpoint_every_steps": 20}
    for name in ("whole", "damaged"):
        run_fn(taxi.fn_args(tmp_path / name, **settings))
    *_, newest = sorted((tmp_path / "damaged").glob("Trainer/checkpoints/*/step-*.ckpt"))
    newest.write_bytes(newest.read_bytes()[:-100])
    run_fn(taxi.fn_args(tmp_path / "damaged", **settings))
    assert_same_training(tmp_path / "damaged", tmp_path / "whole")

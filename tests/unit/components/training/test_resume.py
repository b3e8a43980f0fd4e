"""Trainings in processes of their own, killed and started again."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.training.checkpoints import Checkpoint, Checkpoints
from components.training.job import Job
from tests.unit.components.training.core import assert_same
from tests.unit.components.training.datasets import PROJECT, Dataset, job
from tests.unit.components.training.killable import MODEL, run

# With all that a step can depend on, and steps in a call that do not divide the steps between
# checkpoints.
COMMON = {"steps": 400, "checkpoint_every_steps": 25, "execution": {"steps_per_call": 7}}
CASES: dict[str, dict[str, Any]] = {
    "cached": {
        "batch_size": 24,
        "model": {
            "dropout": 0.2,
            "freeze": {"layers": ["hidden"], "share": 0.5, "learning_rate_factor": 0.5},
        },
        "optimizer": {"name": "sgd", "learning_rate": 0.05, "ema": 0.9, "warmup_steps": 20},
        "loss": {"l2": 1e-4, "class_weights": "balanced"},
        "stopping": {"plateau_patience": 1, "min_delta": 0.01, "keep": "best"},
        "watch": {"log_every_steps": 40, "norms": True},
    },
    "streamed": {
        "batch_size": 70,
        "model": {"dropout": 0.2},
        "optimizer": {"accumulate": 2, "clip": "global_norm"},
        "input": {
            "cache_bytes": 0,
            "shuffle_rows": 1,
            "balance": True,
            "remainder": "pad",
        },
        "watch": {"log_every_steps": 40, "evaluate_every_steps": 100},
    },
    "float16": {
        "batch_size": 24,
        "optimizer": {"name": "adamw", "weight_decay": 0.01},
        "input": {"remainder": "drop"},
        "execution": {"steps_per_call": 7, "precision": "mixed_float16"},
    },
}
KILLS = {"cached": 3, "streamed": 2, "float16": 1}

Start = Callable[[Job, Path], BaseProcess]


def deterministic(dataset: Dataset, **settings: Any) -> Job:
    execution = {"deterministic": True, **settings.pop("execution", {})}
    return job(dataset, execution=execution, **settings)


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Starts a training in a fresh process that has TensorFlow imported but never used."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.unit.components.training.killable"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(PROJECT))

        def begin(wanted: Job, folder: Path) -> BaseProcess:
            folder.mkdir(exist_ok=True)
            process = context.Process(target=run, args=(wanted.to_json(), str(folder)))
            process.start()
            return process

        yield begin


def newest_step(folder: Path) -> int:
    paths = sorted(folder.glob("checkpoints/step-*.ckpt"))
    return int(paths[-1].stem.split("-")[1]) if paths else 0


def finish(process: BaseProcess) -> None:
    process.join(timeout=120)
    assert process.exitcode == 0


def ended(folder: Path, wanted: Job) -> Checkpoint:
    found = Checkpoints(folder / "checkpoints", wanted.facts()).latest()
    assert found is not None
    assert found.decisions.ended_by
    return found


def curve(checkpoint: Checkpoint) -> list[str]:
    """The learning curve, without what no two runs share."""
    timed = ("elapsed_s", "examples_per_s", "took_s")
    history = checkpoint.history.model_dump()
    items = [*history["curve"], *history["evaluations"]]
    return [json.dumps({k: v for k, v in item.items() if k not in timed}) for item in items]


def assert_same_training(folder: Path, other: Path, wanted: Job) -> None:
    found, expected = ended(folder, wanted), ended(other, wanted)
    assert (found.step, found.position) == (expected.step, expected.position)
    assert found.decisions == expected.decisions
    assert curve(found) == curve(expected)
    assert_same(found.values, expected.values)
    with np.load(folder / MODEL) as model, np.load(other / MODEL) as expected_model:
        assert_same([model[n] for n in model.files], [expected_model[n] for n in model.files])


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_training_killed_again_and_again_ends_like_one_left_alone(
    taxi: Dataset, tmp_path: Path, start: Start, case: str
) -> None:
    wanted = deterministic(taxi, **COMMON | CASES[case])
    alone = start(wanted, tmp_path / "alone")
    killed_at = []
    dice = random.Random()
    # Fresh luck each time: any moment must do. The failure message tells the moments.
    for after in sorted(dice.sample(range(1, 300), KILLS[case])):
        process = start(wanted, tmp_path / "killed")
        while process.is_alive() and newest_step(tmp_path / "killed") < after:
            time.sleep(0.002)
        time.sleep(dice.random() * 0.02)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        killed_at.append(newest_step(tmp_path / "killed"))
        process.join()
        assert process.exitcode == -signal.SIGKILL, "it ended before it could be killed"
    finish(start(wanted, tmp_path / "killed"))
    finish(alone)
    try:
        assert_same_training(tmp_path / "killed", tmp_path / "alone", wanted)
    except AssertionError as error:
        error.add_note(f"killed when the newest checkpoints were at steps {killed_at}")
        raise


@pytest.mark.parametrize("jit_compile", [False, True], ids=["plain", "XLA"])
def test_two_deterministic_trainings_are_bitwise_the_same(
    taxi: Dataset, tmp_path: Path, start: Start, jit_compile: bool
) -> None:
    settings = {"steps": 150, "batch_size": 256, "model": {"dropout": 0.2}}
    wanted = deterministic(taxi, **settings, execution={"jit_compile": jit_compile})
    processes = [start(wanted, tmp_path / name) for name in ("one", "other")]
    for process in processes:
        finish(process)
    assert_same_training(tmp_path / "one", tmp_path / "other", wanted)


def test_the_same_seed_gives_the_same_bits_in_every_process(
    taxi: Dataset, tmp_path: Path, start: Start
) -> None:
    wanted = job(taxi, steps=300, batch_size=24, model={"dropout": 0.2})
    finish(start(wanted, tmp_path / "fresh"))
    # This process has other things in memory and has used TensorFlow before.
    (tmp_path / "here").mkdir()
    run(wanted.to_json(), str(tmp_path / "here"))
    assert_same_training(tmp_path / "fresh", tmp_path / "here", wanted)


def test_a_damaged_checkpoint_costs_only_the_steps_since_the_one_before(
    taxi: Dataset, tmp_path: Path
) -> None:
    wanted = job(taxi, steps=60, batch_size=24, checkpoint_every_steps=20)
    for name in ("whole", "damaged"):
        (tmp_path / name).mkdir()
        run(wanted.to_json(), str(tmp_path / name))
    *_, newest = sorted((tmp_path / "damaged").glob("checkpoints/step-*.ckpt"))
    newest.write_bytes(newest.read_bytes()[:-100])
    run(wanted.to_json(), str(tmp_path / "damaged"))
    assert_same_training(tmp_path / "damaged", tmp_path / "whole", wanted)

"""The same training on several devices: its result, and what each device holds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.unit.components.training.datasets import Dataset
from tests.unit.components.training.devices import NORMALISED, finish, start, start_team, values

COMMON = {"steps": 120, "batch_size": 48, "watch": {"norms": True, "evaluate_every_steps": 60}}
# Two devices must do as one does, up to how numbers are rounded when they are added.
EQUAL = {
    "plain": {},
    "unequal_shares": {"batch_size": 37},
    "padded": {"batch_size": 49, "input": {"remainder": "pad"}},
    "streamed": {"input": {"cache_bytes": 0, "shuffle_rows": 512}},
    "accumulated": {"batch_size": 60, "optimizer": {"accumulate": 4}},
    "clipped": {"optimizer": {"clip": "global_norm", "clip_at": 0.05}},
    "clipped_by_variable": {"optimizer": {"clip": "norm", "clip_at": 0.05}},
    "clipped_by_value": {"optimizer": {"clip": "value", "clip_at": 0.005}},
    "decayed": {"optimizer": {"name": "adamw", "weight_decay": 0.01}},
    "averaged": {"optimizer": {"ema": 0.9}},
    "weighed": {"loss": {"class_weights": "balanced", "l2": 1e-3}},
    "frozen": {"model": {"freeze": {"layers": ["hidden"], "share": 0.5}}},
}
HALF = {"execution": {"precision": "mixed_float16"}}
RANDOM = {"model": {"function": NORMALISED}}
CASES = {name: COMMON | case for name, case in {**EQUAL, "half": HALF, "random": RANDOM}.items()}
MIRRORED = {"strategy": "mirrored", "virtual_devices": 2}
PAUSED = ("averaged", "frozen", "half", "random")
ON_WORKERS = ("plain", "unequal_shares", "padded", "accumulated", "averaged", "half", "random")


@pytest.fixture(scope="module")
def trained(taxi: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All cases on `one` device, on `two` of one process, and in two `workers`."""
    root = tmp_path_factory.mktemp("devices")
    some = {name: CASES[name] for name in ON_WORKERS}
    processes = [
        start(root / "one", taxi, CASES, {}),
        start(root / "two", taxi, CASES, MIRRORED, pauses=PAUSED),
        *start_team(root / "workers", taxi, some, 2),
    ]
    for process in processes:
        finish(process)
    return root


PLACES = [("two", case) for case in EQUAL] + [
    ("workers/0", case) for case in ON_WORKERS if case in EQUAL
]


@pytest.mark.slow
@pytest.mark.parametrize(("place", "case"), PLACES)
def test_two_devices_train_to_the_weights_of_one(trained: Path, place: str, case: str) -> None:
    one, two = (values(trained / folder, case, "whole") for folder in ("one", place))
    for expected, value in zip(one, two, strict=True):
        np.testing.assert_allclose(value, expected, atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("place", "case"), PLACES)
def test_two_devices_measure_what_one_does(trained: Path, place: str, case: str) -> None:
    one, two = (
        json.loads((trained / folder / f"{case}.json").read_text()) for folder in ("one", place)
    )
    assert len(one["evaluations"]) == 2
    for expected, found in zip(one["evaluations"], two["evaluations"], strict=True):
        assert found["metrics"] == pytest.approx(expected["metrics"], rel=1e-4)
        assert type(found["metrics"]["rows"]) is int
    for expected, found in zip(one["curve"], two["curve"], strict=True):
        for name in ("loss", "gradient_norm", "weight_norm", "learning_rate"):
            assert found[name] == pytest.approx(expected[name], rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["two", "workers/0"])
def test_half_precision_trains_as_well_on_two_devices(trained: Path, place: str) -> None:
    one, two = (
        json.loads((trained / folder / "half.json").read_text())["evaluations"][-1]["metrics"]
        for folder in ("one", place)
    )
    assert two["loss"] == pytest.approx(one["loss"], rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("case", PAUSED)
def test_a_training_on_two_devices_goes_on_to_the_same_bits(trained: Path, case: str) -> None:
    whole, paused = (values(trained / "two", case, what) for what in ("whole", "paused"))
    for expected, value in zip(whole, paused, strict=True):
        np.testing.assert_array_equal(value, expected)


@pytest.mark.slow
@pytest.mark.parametrize("case", ON_WORKERS)
def test_all_workers_have_the_same_bits(trained: Path, case: str) -> None:
    first, second = (replica(trained, f"workers/{number}", case, 0) for number in (0, 1))
    for a, b in zip(first, second, strict=True):
        if a.dtype != np.int64:  # A seed, see below.
            np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("second", [("two", 1), ("workers/1", 0)], ids=["mirrored", "workers"])
def test_replicas_share_statistics_but_draw_random_numbers_of_their_own(
    trained: Path, second: tuple[str, int]
) -> None:
    first = replica(trained, "two" if second[0] == "two" else "workers/0", "random", 0)
    other = replica(trained, second[0], "random", second[1])
    moving = [a for a in first if a.shape == (8,)]
    assert len(moving) == 5, "bias, gamma, beta, mean, variance"
    assert moving[3].any(), "the mean has not moved"
    assert (moving[4] != 1).all(), "the variance has not moved"
    seeds = 0
    for a, b in zip(first, other, strict=True):
        if a.dtype == np.int64:
            seeds += 1
            assert a[0] != b[0], "both drop the same"
            assert a[1] == b[1] == COMMON["steps"]
        else:
            np.testing.assert_array_equal(a, b)
    assert seeds == 1


def replica(trained: Path, place: str, case: str, number: int) -> list[np.ndarray]:
    return values(trained / place, case, f"replica {number}")

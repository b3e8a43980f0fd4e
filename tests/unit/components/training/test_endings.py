"""How trainings end, are turned round, and go on after that: by the real loop on real files."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components import interruption, progress
from components.errors import ConfigError, Interrupted
from components.training import actions
from components.training.checkpoints import Checkpoints
from components.training.guard import Diverged
from components.training.job import Job
from components.training.train import Trained, train
from tests.unit.components.training.core import assert_same
from tests.unit.components.training.datasets import Dataset, job

# At a rate far too high, evaluations get worse soon.
WILD = {"learning_rate": 0.5, "schedule": "constant"}
# A rate at which a regression diverges within some twenty steps; a hundredth of it is all right.
DIVERGING = {"name": "sgd", "learning_rate": 10.0, "schedule": "constant"}
EVERY_10 = {"evaluate_every_steps": 10, "log_every_steps": 10}


class Killed(BaseException):
    """Stands for the end of the process: nothing in the code expects it."""


@pytest.fixture(autouse=True)
def no_request() -> Iterator[None]:
    yield
    interruption.clear()


def trained(wanted: Job, folder: Path) -> Trained:
    return train(wanted, Checkpoints(folder, wanted.facts()))


def killed_at(wanted: Job, folder: Path, step: int) -> None:
    """Trains up to `step` or soon after, and no further than the middle of what is done there."""

    def listener(node: str, values: dict[str, Any]) -> None:
        if values.get("step", 0) >= step:
            raise Killed

    with progress.listen(listener), pytest.raises(Killed):
        trained(wanted, folder)


@pytest.fixture(autouse=True)
def report_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that every call is reported, and a test can act at any."""
    monkeypatch.setattr("components.training.train._REPORT_EVERY_S", 0.0)


def untimed(found: Trained) -> dict[str, Any]:
    """The learning curve, without what no two runs share."""
    dumped = found.history.model_dump()
    timed = ("elapsed_s", "examples_per_s", "took_s")
    return {
        name: [{k: v for k, v in item.items() if k not in timed} for item in items]
        for name, items in dumped.items()
    }


def assert_same_end(found: Trained, expected: Trained) -> None:
    assert found.decisions == expected.decisions
    assert untimed(found) == untimed(expected)
    assert_same(found.learner.model_values(), expected.learner.model_values())
    assert_same(found.learner.values(), expected.learner.values())


def losses(found: Trained) -> list[float]:
    return [item.metrics["loss"] for item in found.history.evaluations]


def test_training_stops_early_and_keeps_the_best_or_the_last(taxi: Dataset, tmp_path: Path) -> None:
    kept = {}
    for keep in ("best", "last"):
        stopping = {"patience": 3, "keep": keep}
        wanted = job(taxi, steps=1000, optimizer=WILD, watch=EVERY_10, stopping=stopping)
        kept[keep] = trained(wanted, tmp_path / keep)
    best, last = kept["best"], kept["last"]
    assert losses(best) == losses(last)
    lowest = int(np.argmin(losses(best)))
    assert best.decisions.best_step == 10 * (lowest + 1)
    end = best.history.evaluations[-1].step
    assert end == best.decisions.best_step + 30 < 1000
    assert best.decisions.ended_by == f"no gain in loss since step {best.decisions.best_step}"

    # What was kept are the weights of that step: those of a training that ends there.
    for keep, steps in (("best", best.decisions.best_step), ("last", end)):
        shorter = job(taxi, steps=steps, optimizer=WILD, watch=EVERY_10)
        expected = trained(shorter, tmp_path / f"as-{keep}").learner.model_values()
        assert_same(kept[keep].learner.model_values(), expected)


def test_a_gain_below_min_delta_is_none(taxi: Dataset, tmp_path: Path) -> None:
    stopping = {"patience": 2, "min_delta": 10.0}
    found = trained(job(taxi, steps=500, watch=EVERY_10, stopping=stopping), tmp_path)
    assert [item.step for item in found.history.evaluations] == [10, 20, 30]
    assert found.decisions.best_step == 10


def test_another_metric_decides(taxi: Dataset, tmp_path: Path) -> None:
    stopping = {"patience": 2, "metric": "auc"}
    wanted = job(taxi, steps=500, optimizer=WILD, watch=EVERY_10, stopping=stopping)
    found = trained(wanted, tmp_path)
    auc = [item.metrics["auc"] for item in found.history.evaluations]
    assert found.decisions.best_step == 10 * (int(np.argmax(auc)) + 1)
    assert found.decisions.ended_by.startswith("no gain in auc")


def test_an_unknown_metric_is_refused(taxi: Dataset, tmp_path: Path) -> None:
    stopping = {"patience": 2, "metric": "acc"}
    with pytest.raises(ConfigError, match=r"has no 'acc'\. It has: loss, accuracy, auc"):
        trained(job(taxi, steps=20, stopping=stopping), tmp_path)


def test_a_plateau_lowers_the_rate(taxi: Dataset, tmp_path: Path) -> None:
    stopping = {"plateau_patience": 1, "plateau_factor": 0.5, "min_delta": 10.0}
    optimizer = {"learning_rate": 0.08, "schedule": "constant"}
    wanted = job(taxi, steps=40, optimizer=optimizer, watch=EVERY_10, stopping=stopping)
    found = trained(wanted, tmp_path)
    assert found.decisions.drops == [1, 2, 3]
    rates = [point.learning_rate for point in found.history.curve]
    assert rates == pytest.approx([0.08, 0.04, 0.02, 0.01])


@pytest.mark.parametrize(
    ("settings", "last"),
    [
        ({"epochs": 2, "batch_size": 100}, 24),
        ({"epochs": 0.5, "batch_size": 100}, 6),
        ({"epochs": 3, "steps": 5}, 5),
    ],
)
def test_training_ends_after_its_epochs_or_steps(
    taxi: Dataset, tmp_path: Path, settings: dict[str, Any], last: int
) -> None:
    found = trained(job(taxi, **settings), tmp_path)
    assert found.history.curve[-1].step == last
    assert found.decisions.ended_by == "all steps are done"


def test_the_time_limit_ends_a_training_for_good(
    taxi: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that is a second later whenever it is looked at."""
    ticks = functools.partial(next, itertools.count(0.0))
    monkeypatch.setattr(actions, "Clock", functools.partial(actions.Clock, clock=ticks))
    wanted = job(taxi, steps=1000, time_limit_s=12, execution={"steps_per_call": 10})
    found = trained(wanted, tmp_path)
    assert found.decisions.ended_by == "the time limit of 12 s"
    end = found.history.curve[-1].step
    assert 10 <= end < 200
    assert found.history.evaluations[-1].step == end, "the last model is evaluated"
    assert_same_end(trained(wanted, tmp_path), found)


def test_the_time_of_the_earlier_process_counts_for_the_limit(
    taxi: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = functools.partial(next, itertools.count(0.0))
    monkeypatch.setattr(actions, "Clock", functools.partial(actions.Clock, clock=ticks))
    settings = {
        "steps": 1000,
        "time_limit_s": 100,
        "checkpoint_every_steps": 10,
        "watch": {"log_every_steps": 10},
        "execution": {"steps_per_call": 10},
    }
    whole = trained(job(taxi, **settings), tmp_path / "whole")
    killed_at(job(taxi, **settings), tmp_path / "killed", 100)
    resumed = trained(job(taxi, **settings), tmp_path / "killed")
    difference = resumed.history.curve[-1].step - whole.history.curve[-1].step
    assert abs(difference) <= 20, "it had its time again"


def test_a_diverging_training_goes_back_and_on_with_a_lower_rate(
    fares: Dataset, tmp_path: Path
) -> None:
    wanted = job(
        fares,
        steps=200,
        optimizer=DIVERGING,
        guard={"policy": "rollback", "factor": 0.01},
        checkpoint_every_steps=5,
        watch=EVERY_10,
    )
    notes: list[Any] = []
    with progress.listen(lambda node, values: notes.append(values.get("note", ""))):
        found = trained(wanted, tmp_path)
    assert found.decisions.rollbacks == 1
    assert found.learner.learning_rate == pytest.approx(0.1)
    assert np.isfinite(losses(found)).all()
    assert losses(found)[-1] < 1.5
    steps = [point.step for point in found.history.curve]
    assert steps == sorted(set(steps)), "what was undone is not in the curve"
    assert any("not finite: back to step" in note for note in notes)


def test_it_goes_back_only_so_often(fares: Dataset, tmp_path: Path) -> None:
    wanted = job(
        fares,
        steps=200,
        optimizer=DIVERGING,
        guard={"policy": "rollback", "factor": 0.99, "max_rollbacks": 2},
    )
    notes: list[Any] = []
    with (
        progress.listen(lambda node, values: notes.append(values.get("note", ""))),
        pytest.raises(Diverged, match="It was tried 2 times with a lower rate"),
    ):
        trained(wanted, tmp_path)
    assert sum("back to step 0" in note for note in notes) == 2
    with pytest.raises(Diverged, match="It was tried 2 times"):
        trained(wanted, tmp_path)


def test_going_back_outlives_the_process(fares: Dataset, tmp_path: Path) -> None:
    wanted = job(
        fares,
        steps=100,
        optimizer=DIVERGING,
        guard={"policy": "rollback", "factor": 0.01},
        checkpoint_every_steps=5,
        watch=EVERY_10,
    )
    whole = trained(wanted, tmp_path / "whole")

    def listener(node: str, values: dict[str, Any]) -> None:
        if "back to step" in str(values.get("note")):
            raise Killed

    with progress.listen(listener), pytest.raises(Killed):
        trained(wanted, tmp_path / "killed")
    notes: list[Any] = []
    with progress.listen(lambda node, values: notes.append(values.get("note", ""))):
        resumed = trained(wanted, tmp_path / "killed")
    assert not any("back to step" in note for note in notes), "it tried the higher rate again"
    assert resumed.decisions.rollbacks == 1
    assert_same_end(resumed, whole)


RESUMED = {
    "early stopping": {
        "steps": 1000,
        "optimizer": WILD,
        "watch": EVERY_10,
        "stopping": {"patience": 5, "keep": "best"},
    },
    "plateau": {
        "steps": 90,
        "optimizer": {"learning_rate": 0.1, "ema": 0.9},
        "watch": EVERY_10,
        "stopping": {"plateau_patience": 1, "min_delta": 0.01},
    },
    "freeze": {
        "steps": 90,
        "model": {"freeze": {"layers": ["hidden"], "share": 0.6, "learning_rate_factor": 0.1}},
        "watch": {"log_every_steps": 30},
    },
    "balance and pad": {
        "steps": 90,
        "batch_size": 70,
        "optimizer": {"schedule": "one_cycle", "accumulate": 2},
        "input": {"balance": True, "remainder": "pad", "cache_bytes": 0},
        "watch": EVERY_10,
    },
}


@pytest.mark.parametrize("case", RESUMED)
def test_a_training_that_was_killed_or_asked_to_stop_ends_as_if_it_were_not(
    taxi: Dataset, tmp_path: Path, case: str
) -> None:
    wanted = job(taxi, **RESUMED[case], checkpoint_every_steps=20, execution={"steps_per_call": 7})
    whole = trained(wanted, tmp_path / "whole")

    killed_at(wanted, tmp_path / "killed", 37)
    killed_at(wanted, tmp_path / "killed", 50)
    assert_same_end(trained(wanted, tmp_path / "killed"), whole)

    def listener(node: str, values: dict[str, Any]) -> None:
        if values.get("step") == 37:
            interruption.request(timeout_s=0)

    with progress.listen(listener), pytest.raises(Interrupted, match="saved after step 37"):
        trained(wanted, tmp_path / "asked")
    interruption.clear()
    found = Checkpoints(tmp_path / "asked", wanted.facts()).latest()
    assert found is not None
    assert found.step == 37
    assert_same_end(trained(wanted, tmp_path / "asked"), whole)


def test_best_weights_that_are_damaged_are_said_to_be(taxi: Dataset, tmp_path: Path) -> None:
    wanted = job(taxi, steps=60, watch=EVERY_10, stopping={"keep": "best"})
    trained(wanted, tmp_path)
    for path in tmp_path.glob("best-*"):
        path.write_bytes(b"damaged")
    notes: list[Any] = []
    with progress.listen(lambda node, values: notes.append(values.get("note", ""))):
        trained(wanted, tmp_path)
    assert any("the best weights, of step" in note for note in notes)

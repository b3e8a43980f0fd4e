from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from components.training.batches import Batches, Call, Position
from components.training.data import CachedWindows
from components.training.loop import Action, EverySteps, run_loop
from components.training.phases import Phases
from components.training.settings import TrainingSettings
from tests.unit.components.training.core import NUMBERS, Trial, assert_same, own_module, table

MODEL = """
import keras
def model(shape, *, units, seed):
    inputs = shape.inputs()
    x = keras.layers.Dense(4, name="base_dense")(inputs["numeric"])
    x = keras.layers.BatchNormalization(momentum=0.5, name="base_norm")(x)
    return keras.Model(inputs, keras.layers.Dense(units, name="top")(x))
"""
BASE = ("base_dense", "base_norm")


@pytest.fixture
def function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    return own_module(monkeypatch, tmp_path, MODEL) + ":model"


def trial(function: str, **freeze: object) -> Trial:
    return Trial(
        shape=NUMBERS,
        total_steps=20,
        model={"function": function, "freeze": {"layers": ["base_"], **freeze}},
        optimizer={"learning_rate": 0.1, "schedule": "constant"},
    )


def run(
    one: Trial, *, start: int = 0, stop: int = 20, position: Position | None = None
) -> tuple[dict[int, dict[str, list[np.ndarray]]], Position]:
    """Trains; returns the weights of each layer after every fifth step, and where it ended."""
    batches = Batches(
        CachedWindows(table(50, shape=NUMBERS)), batch_size=16, seed=0, position=position
    )
    phases = Phases(
        one.learner,
        one.settings,
        lambda: one.run_steps(Call({}, np.zeros((10, 16)), Position())),
        start=start,
        total=20,
    )
    seen: dict[int, dict[str, list[np.ndarray]]] = {}
    reached = [Position()]

    def watch(moment: object) -> bool:
        seen[moment.step] = {name: one.layer(name) for name in (*BASE, "top")}
        reached.append(moment.call.position)
        return moment.step == stop

    def calls(sizes: Iterator[int]) -> Iterator[Call]:
        return (batches.take(size) for size in sizes)

    run_loop(
        phases,
        calls,
        [*phases.actions, Action(EverySteps(5), watch)],
        start=start,
        total=20,
        steps_per_call=10,
        guard=lambda *seen: None,
        save=lambda moment: None,
    )
    return seen, reached[-1]


def changed(before: list[np.ndarray], after: list[np.ndarray]) -> list[bool]:
    return [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


def test_frozen_layers_stay_bitwise_the_same_up_to_their_share_and_then_learn(
    function: str,
) -> None:
    one = trial(function, share=0.5)
    first = {name: one.layer(name) for name in BASE}
    seen, _ = run(one)
    for step in (5, 10):
        for name in BASE:
            # Of batch normalisation, what it knows of the data too: its mean and variance.
            assert_same(seen[step][name], first[name])
        assert all(changed(seen[5]["top"], seen[10]["top"]))
    assert all(changed(seen[10]["base_dense"], seen[15]["base_dense"]))
    assert changed(seen[10]["base_norm"], seen[15]["base_norm"]) == [True] * 4


def test_with_share_one_they_never_learn(function: str) -> None:
    one = trial(function)
    first = {name: one.layer(name) for name in BASE}
    seen, _ = run(one)
    for name in BASE:
        assert_same(seen[20][name], first[name])
    assert all(changed(seen[5]["top"], seen[20]["top"]))


def test_without_freezing_all_learn_at_once(function: str) -> None:
    one = Trial(shape=NUMBERS, model={"function": function})
    first = {name: one.layer(name) for name in BASE}
    seen, _ = run(one)
    assert all(changed(first["base_dense"], seen[5]["base_dense"]))
    assert (
        Phases(one.learner, TrainingSettings(), lambda: one.run_steps, start=0, total=20).actions
        == []
    )


@pytest.mark.parametrize("stop", [5, 10, 15])
def test_a_training_resumed_in_either_phase_ends_the_same(function: str, stop: int) -> None:
    whole, first, second = (trial(function, share=0.5) for _ in range(3))
    run(whole)
    _, position = run(first, stop=stop)
    second.learner.restore(first.learner.values())
    run(second, start=stop, position=position)
    assert_same(second.learner.values(), whole.learner.values())


def test_from_then_on_the_rate_is_lower(function: str) -> None:
    one = trial(function, share=0.5, learning_rate_factor=0.25)
    rates = []
    for step in (0, 9, 10, 20):
        one.learner.optimizer.iterations.assign(step)
        rates.append(one.learner.learning_rate)
    assert rates == pytest.approx([0.1, 0.1, 0.025, 0.025])

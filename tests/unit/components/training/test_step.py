from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.training.batches import Call, Position
from components.training.data import Rows
from tests.unit.components.training.core import NUMBERS, Trial, assert_same, in_order, table

SGD = {"name": "sgd", "learning_rate": 0.1, "schedule": "constant"}


def slices(call: Call) -> list[Call]:
    """The same batches, one a call."""
    return [Call(call.rows, call.index[i : i + 1], Position()) for i in range(len(call.index))]


def assert_close(one: Trial, other: Trial, **tolerance: float) -> None:
    expected = other.weights()
    for path, value in one.weights().items():
        np.testing.assert_allclose(value, expected[path], err_msg=path, **tolerance)


def test_one_step_is_what_adam_does_by_hand() -> None:
    trial = Trial(
        model={"name": "linear"}, optimizer={"learning_rate": 0.01, "schedule": "constant"}
    )
    rows = table(16)
    losses = trial.run(in_order(rows, 1)).losses

    # All weights begin at 0, so every probability is one half.
    assert losses == pytest.approx([np.log(2)])
    error = (0.5 - rows["label"]) / 16
    by_id = np.zeros(20)
    # An id that comes twice in a batch has one gradient, the sum.
    np.add.at(by_id, rows["categorical"], error[:, np.newaxis])

    def adam(gradient: np.ndarray) -> np.ndarray:
        first, second = 0.1 * gradient, 0.001 * gradient**2
        rate = 0.01 * np.sqrt(1 - 0.999) / (1 - 0.9)
        return -rate * first / (np.sqrt(second) + 1e-7)

    found = {value.shape: value for value in trial.weights().values()}
    np.testing.assert_allclose(found[20, 1][:, 0], adam(by_id), rtol=1e-3, atol=1e-8)
    gradient = rows["numeric"].T @ error
    np.testing.assert_allclose(found[3, 1][:, 0], adam(gradient), rtol=1e-3)


def test_how_many_steps_run_in_a_call_does_not_matter() -> None:
    call = in_order(table(40), 6)
    together, apart = (Trial(model={"dropout": 0.3}) for _ in range(2))
    losses = together.run(call).losses
    run = apart.run_steps(call)
    np.testing.assert_array_equal(losses, [run(part).losses[0] for part in slices(call)])
    assert_same(together.learner.values(), apart.learner.values())


def test_rows_that_come_with_each_call_teach_the_same_as_a_table_that_stays() -> None:
    call = in_order(table(40), 6)
    cached, streamed = Trial(), Trial()
    cached.run(call)
    run = streamed.run_steps(call)
    for part in slices(call):
        rows = {name: column[part.index[0]] for name, column in call.rows.items()}
        run(Call(rows, np.arange(16, dtype=np.int32)[np.newaxis], Position()))
    assert_same(cached.learner.values(), streamed.learner.values())


def test_dropout_differs_from_step_to_step() -> None:
    same = Call(table(16), np.tile(np.arange(16, dtype=np.int32), (4, 1)), Position())
    losses = Trial(model={"dropout": 0.5}, optimizer={"learning_rate": 1e-9}).run(same).losses
    assert len(set(losses.tolist())) == 4


def test_l2_pulls_weights_to_zero_and_is_not_in_the_loss() -> None:
    call = in_order(table(64), 50)
    free, pulled = Trial(), Trial(loss={"l2": 0.1})
    assert free.run(call).losses[0] == pulled.run(call).losses[0]
    free_norm, pulled_norm = (np.linalg.norm(t.layer("hidden_1")[0]) for t in (free, pulled))
    assert pulled_norm < 0.95 * free_norm


@pytest.mark.parametrize(
    "settings",
    [{}, {"loss": {"l2": 0.05}}, {"loss": {"class_weights": {"yes": 3.0}}}],
    ids=["plain", "l2", "class weights"],
)
@pytest.mark.parametrize("parts", [2, 8])
def test_accumulating_parts_is_the_whole_batch(parts: int, settings: dict[str, Any]) -> None:
    call = in_order(table(40), 10)
    whole = Trial(optimizer=SGD, **settings)
    accumulated = Trial(optimizer=SGD | {"accumulate": parts}, batch_size=16, **settings)
    losses, of_parts = (t.run(call, norms=True) for t in (whole, accumulated))
    np.testing.assert_allclose(of_parts.losses, losses.losses, rtol=1e-5)
    np.testing.assert_allclose(of_parts.norms, losses.norms, rtol=1e-4)
    assert_close(accumulated, whole, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("accumulate", [1, 4])
def test_padding_does_not_count(accumulate: int) -> None:
    rows = table(16)
    padded = np.full((1, 16), -1, np.int32)
    padded[0, :10] = np.arange(10)
    smaller = Trial(optimizer=SGD, loss={"l2": 0.05})
    trial = Trial(optimizer=SGD | {"accumulate": accumulate}, batch_size=16, loss={"l2": 0.05})
    losses = trial.run(Call(rows, padded, Position()), pads=True).losses
    expected = smaller.run(Call(rows, padded[:, :10], Position())).losses
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    assert_close(trial, smaller, rtol=1e-5, atol=1e-7)


def test_padding_does_not_count_whatever_is_in_the_last_row() -> None:
    """Index -1 is read as some row; nothing of it may come through."""
    index = np.array([[3, 1, -1, -1]], np.int32)
    rows, others = table(8), table(8)
    others["numeric"][[0, 7]] = 1e3
    one, other = Trial(optimizer=SGD), Trial(optimizer=SGD)
    assert_same(
        [one.run(Call(rows, index, Position()), pads=True).losses],
        [other.run(Call(others, index, Position()), pads=True).losses],
    )
    assert_same(one.learner.values(), other.learner.values())


def replay(rows: Rows, steps: int, momentum: float) -> list[np.ndarray]:
    """The averages after `steps` steps, from the weights after each, by numpy."""
    trial = Trial(optimizer=SGD)
    run = trial.run_steps(in_order(rows, 1))
    averages: list[np.ndarray] = []
    for part in slices(in_order(rows, steps)):
        run(part)
        weights = [w.numpy().astype(np.float64) for w in trial.learner.trainable]
        if averages:
            pairs = zip(averages, weights, strict=True)
            averages = [momentum * a + (1 - momentum) * w for a, w in pairs]
        else:
            averages = weights
    return averages


def test_the_moving_average_equals_a_replay() -> None:
    rows = table(40)
    trial = Trial(optimizer=SGD | {"ema": 0.8})
    trial.run(in_order(rows, 12))
    expected = replay(rows, 12, 0.8)
    for average, other in zip(trial.learner.averages, expected, strict=True):
        np.testing.assert_allclose(average.numpy(), other, rtol=1e-5, atol=1e-7)
    own = [w.numpy() for w in trial.learner.trainable]
    with trial.learner.averaged():
        for weight, other in zip(trial.learner.trainable, expected, strict=True):
            np.testing.assert_allclose(weight.numpy(), other, rtol=1e-5, atol=1e-7)
    assert_same([w.numpy() for w in trial.learner.trainable], own)


def test_the_norm_is_that_of_the_whole_gradient_before_it_is_clipped() -> None:
    call = in_order(table(16), 1)
    settings = {"name": "sgd", "momentum": 0.0, "learning_rate": 1.0, "schedule": "constant"}
    trial, clipped = Trial(optimizer=settings), Trial(optimizer=settings | {"clip": "global_norm"})
    before = trial.weights()
    [measured] = trial.run(call, norms=True).norms
    change = [before[path] - value for path, value in trial.weights().items()]
    assert measured == pytest.approx(np.sqrt(sum(np.sum(c**2) for c in change)), rel=1e-4)
    assert clipped.run(call, norms=True).norms == pytest.approx([measured])
    assert Trial().run(call).norms.size == 0


@pytest.mark.parametrize("settings", [{}, {"optimizer": {"accumulate": 4, "ema": 0.9}}])
def test_xla_computes_the_same(settings: dict[str, Any]) -> None:
    call = in_order(table(40), 20)
    plain, compiled = (Trial(batch_size=16, **settings) for _ in range(2))
    losses = compiled.run(call, jit_compile=True, pads=True).losses
    np.testing.assert_allclose(losses, plain.run(call, pads=True).losses, rtol=1e-4)
    assert_close(compiled, plain, rtol=1e-3, atol=1e-4)


def test_half_a_call_leaves_the_rest_out() -> None:
    call = in_order(table(40, shape=NUMBERS), 8)
    run = Trial(shape=NUMBERS).run_steps(call, norms=True)
    part = run(dataclasses.replace(call, index=call.index[:3]))
    assert part.losses.shape == part.norms.shape == (3,)


def test_the_steps_are_traced_once_whatever_the_calls() -> None:
    trial = Trial(shape=NUMBERS)
    traces = 0
    losses = trial.learner.head.losses

    class Counting:
        def losses(self, outputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
            nonlocal traces
            traces += 1
            return losses(outputs, labels)

        def weights(self, labels: tf.Tensor) -> None:
            return None

    trial.learner.objective._head = Counting()  # type: ignore[assignment]
    call = in_order(table(40, shape=NUMBERS), 8)
    run = trial.run_steps(call)
    for size in (8, 3, 1, 8):
        rows = {name: column.copy() for name, column in call.rows.items()}
        run(Call(rows, call.index[:size], Position()))
    assert traces == 1

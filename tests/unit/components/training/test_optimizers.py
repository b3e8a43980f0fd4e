from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import pytest
import tensorflow as tf

from components.training.optimizers import Rate
from components.training.settings import OptimizerSettings
from tests.unit.components.training.core import NUMBERS, Trial, in_order, table

PEAK = 0.1
STEPS = (0, 1, 29, 30, 50, 99, 100, 150)


def rates(steps: tuple[int, ...] = STEPS, *, scale: float = 1.0, **settings: Any) -> list[float]:
    change = settings.pop("change", None)
    rate = Rate(
        OptimizerSettings(learning_rate=PEAK, **settings),
        total_steps=100,
        scale=tf.Variable(scale),
        change=change,
    )
    return [float(rate(tf.constant(step))) for step in steps]


def cosine(done: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def one_cycle(step: float) -> float:
    if step < 30:
        return 1 / 25 + (1 - 1 / 25) * (1 - cosine(step / 30))
    return 1 / 250_000 + (1 - 1 / 250_000) * cosine((step - 30) / 70)


@pytest.mark.parametrize(
    ("settings", "share"),
    [
        ({"schedule": "constant"}, lambda step: 1.0),
        ({"schedule": "linear"}, lambda step: 1 - min(step / 100, 1)),
        ({"schedule": "linear", "end_share": 0.2}, lambda step: 1 - 0.8 * min(step / 100, 1)),
        ({"schedule": "cosine"}, lambda step: cosine(step / 100)),
        ({"schedule": "cosine", "end_share": 0.1}, lambda step: 0.1 + 0.9 * cosine(step / 100)),
        (
            {"schedule": "step", "decay_rate": 0.3, "decay_every_steps": 30},
            lambda step: 0.3 ** (step // 30),
        ),
        (
            {"schedule": "exponential", "decay_rate": 0.3, "decay_every_steps": 30},
            lambda step: 0.3 ** (step / 30),
        ),
        ({"schedule": "one_cycle"}, one_cycle),
    ],
    ids=lambda value: "-".join(str(v) for v in value.values()) if isinstance(value, dict) else "",
)
def test_the_learning_rate_follows_its_schedule(settings: dict[str, Any], share: Any) -> None:
    np.testing.assert_allclose(
        rates(**settings), [PEAK * share(step) for step in STEPS], rtol=1e-4, atol=1e-8
    )


def test_warming_up_rises_to_the_peak_and_the_schedule_fills_the_rest() -> None:
    found = rates((0, 1, 9, 10, 55, 100), schedule="linear", warmup_steps=10)
    np.testing.assert_allclose(found, [0.01, 0.02, 0.1, 0.1, 0.05, 0], rtol=1e-5, atol=1e-9)


def test_a_plateau_or_rollback_scales_every_rate() -> None:
    np.testing.assert_allclose(rates(scale=0.25), 0.25 * np.array(rates()), rtol=1e-6)


def test_from_the_change_on_the_rate_is_multiplied() -> None:
    found = rates((0, 49, 50, 80), schedule="constant", change=(50, 0.1))
    np.testing.assert_allclose(found, [0.1, 0.1, 0.01, 0.01], rtol=1e-6)


def step_of(**optimizer: Any) -> list[np.ndarray]:
    """How one step at rate 1 changes each weight."""
    plain = {"name": "sgd", "momentum": 0.0, "learning_rate": 1.0, "schedule": "constant"}
    trial = Trial(model={"hidden_units": (5,)}, optimizer=plain | optimizer)
    before = trial.weights()
    trial.run(in_order(table(16), 1))
    return [before[path] - value for path, value in trial.weights().items()]


def norm(gradient: np.ndarray) -> float:
    return float(np.linalg.norm(gradient.astype(np.float64)))


def test_clipping_bounds_each_value() -> None:
    gradients = step_of()
    limit = 0.3 * max(float(np.abs(g).max()) for g in gradients)
    for gradient, taken in zip(gradients, step_of(clip="value", clip_at=limit), strict=True):
        np.testing.assert_allclose(taken, np.clip(gradient, -limit, limit), atol=1e-6)


def test_clipping_bounds_the_norm_of_each_variable() -> None:
    gradients = step_of()
    limit = sorted(norm(g) for g in gradients)[len(gradients) // 2]
    for gradient, taken in zip(gradients, step_of(clip="norm", clip_at=limit), strict=True):
        expected = gradient * min(1, limit / max(norm(gradient), 1e-12))
        np.testing.assert_allclose(taken, expected, atol=1e-6)


def test_clipping_bounds_the_norm_of_all_gradients_together() -> None:
    gradients = step_of()
    together = math.sqrt(sum(norm(g) ** 2 for g in gradients))
    for limit in (together / 3, together * 2):
        clipped = step_of(clip="global_norm", clip_at=limit)
        for gradient, taken in zip(gradients, clipped, strict=True):
            np.testing.assert_allclose(taken, gradient * min(1, limit / together), atol=1e-6)


def test_momentum_adds_up() -> None:
    trial = Trial(
        shape=NUMBERS,
        model={"name": "linear"},
        optimizer={"name": "sgd", "momentum": 0.5, "learning_rate": 0.3, "schedule": "constant"},
    )
    rows = table(32, shape=NUMBERS)
    trial.run(in_order(rows, 6))
    kernel, bias = np.zeros(3), 0.0
    speed, speed_of_bias = np.zeros(3), 0.0
    for step in range(6):
        part = slice(16 * (step % 2), 16 * (step % 2) + 16)
        numeric, labels = rows["numeric"][part], rows["label"][part]
        error = 1 / (1 + np.exp(-(numeric @ kernel + bias))) - labels
        speed = 0.5 * speed - 0.3 * numeric.T @ error / 16
        speed_of_bias = 0.5 * speed_of_bias - 0.3 * error.mean()
        kernel, bias = kernel + speed, bias + speed_of_bias
    found = {w.ndim: w for w in trial.weights().values()}
    np.testing.assert_allclose(found[2][:, 0], kernel, rtol=1e-4)
    np.testing.assert_allclose(found[1], [bias], rtol=1e-4)


def test_weight_decay_shrinks_weights_by_their_size_alone() -> None:
    decayed, plain = step_of(weight_decay=0.1), step_of()
    trial = Trial(model={"hidden_units": (5,)})
    for weight, more, less in zip(trial.weights().values(), decayed, plain, strict=True):
        np.testing.assert_allclose(more - less, 0.1 * weight, atol=1e-6)


@pytest.mark.parametrize("name", get_args(OptimizerSettings.model_fields["name"].annotation))
def test_every_optimizer_trains(name: str) -> None:
    rate = {"sgd": 0.3, "adagrad": 0.3}.get(name, 0.02)
    trial = Trial(
        shape=NUMBERS,
        model={"hidden_units": (8,)},
        optimizer={"name": name, "learning_rate": rate},
    )
    assert type(trial.learner.optimizer).__name__.lower() == name
    losses = trial.run(in_order(table(64, shape=NUMBERS), 100)).losses
    assert losses[-4:].mean() < 0.5 * losses[:4].mean()

from __future__ import annotations

import random
from pathlib import Path

import keras
import numpy as np
import pytest

from components.errors import ConfigError, NodeFailed
from components.training.models.shape import InputShape
from tests.unit.components.training.core import (
    NUMBERS,
    SHAPE,
    Trial,
    assert_same,
    in_order,
    own_module,
    table,
)

# Names no seed at all, as one does who has read no documentation.
SEEDLESS = """
import keras
def model(shape, *, units, seed):
    inputs = shape.inputs()
    hidden = keras.layers.Dropout(0.5)(keras.layers.Dense(4, name="hidden")(inputs["numeric"]))
    return keras.Model(inputs, keras.layers.Dense(units)(hidden))
"""


def features(shape: InputShape, rows: int) -> dict[str, np.ndarray]:
    return {n: np.ones((rows, *size), kind) for n, (size, kind) in shape.columns().items()}


@pytest.mark.parametrize("model", ["wide_deep", "linear"])
@pytest.mark.parametrize(
    ("problem", "units"), [("binary", 1), ("multiclass", 3), ("regression", 1)]
)
@pytest.mark.parametrize("shape", [SHAPE, NUMBERS, InputShape(num_slots=2, num_ids=20)])
def test_every_model_answers_every_problem_from_any_columns(
    model: str, problem: str, units: int, shape: InputShape
) -> None:
    learner = Trial(problem, shape, model={"name": model}).learner
    scores = learner.scores(features(shape, rows=7))
    assert scores.shape == (7, units)
    assert np.isfinite(scores).all()


def test_the_seed_decides_the_first_weights() -> None:
    first, same, other = (Trial(seed=seed).learner.values() for seed in (5, 5, 6))
    assert_same(first, same)
    assert any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_the_seed_decides_a_model_of_ones_own_that_takes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = own_module(monkeypatch, tmp_path, SEEDLESS)
    before = random.getstate()
    trials = [Trial(model={"function": f"{module}:model"}, seed=seed) for seed in (5, 5, 6)]
    assert random.getstate() == before
    first, same, other = trials
    assert not np.array_equal(first.layer("hidden")[0], other.layer("hidden")[0])
    call = in_order(table(16), 5)
    np.testing.assert_array_equal(first.run(call).losses, same.run(call).losses)
    assert_same(first.learner.values(), same.learner.values())


def test_layers_of_one_shape_begin_with_different_weights() -> None:
    trial = Trial(model={"hidden_units": (16, 16, 16)})
    assert not np.array_equal(trial.layer("hidden_1")[0], trial.layer("hidden_2")[0])


def test_values_restore_everything() -> None:
    """The network, the head, the optimizer's state, random layers, averages, the rate's scale."""
    settings = {"model": {"dropout": 0.5}, "optimizer": {"ema": 0.9}}
    source, target = (Trial("regression", seed=seed, **settings) for seed in (1, 0))
    source.learner.head.fit([np.array([3.0, 5.0], np.float32)])
    source.run(in_order(table(16, "regression"), 3))
    source.learner.rate_scale.assign(0.5)
    target.learner.restore(source.learner.values())
    assert_same(target.learner.values(), source.learner.values())
    assert target.learner.learning_rate == source.learner.learning_rate
    call = in_order(table(40, "regression", seed=1), 5)
    np.testing.assert_array_equal(target.run(call).losses, source.run(call).losses)
    assert_same(target.learner.values(), source.learner.values())


def test_model_values_are_the_network_and_the_head_alone() -> None:
    trial = Trial("regression")
    values = trial.learner.model_values()
    assert len(values) == len(trial.learner.model.weights) + 2
    trial.run(in_order(table(16, "regression"), 2))
    iterations = int(trial.learner.optimizer.iterations.numpy())
    trial.learner.restore_model(values)
    assert_same(trial.learner.model_values(), values)
    assert int(trial.learner.optimizer.iterations.numpy()) == iterations == 2


def test_taking_the_averages_makes_them_the_weights() -> None:
    trial = Trial(optimizer={"ema": 0.9, "learning_rate": 0.1})
    trial.run(in_order(table(40), 5))
    averages = [average.numpy() for average in trial.learner.averages]
    assert not np.array_equal(trial.learner.trainable[0].numpy(), averages[0])
    trial.learner.take_averages()
    assert_same([weight.numpy() for weight in trial.learner.trainable], averages)


def test_the_optimizer_keeps_no_averages_of_its_own() -> None:
    plain, averaged = (Trial(optimizer={"ema": ema}).learner for ema in (0.0, 0.9))
    assert len(averaged.optimizer.variables) == len(plain.optimizer.variables)


def test_weights_that_are_not_finite_are_found() -> None:
    learner = Trial().learner
    learner.require_finite(3)
    learner.model.get_layer("hidden_0").bias.assign(np.full(64, np.nan))
    with pytest.raises(NodeFailed, match=r"hidden_0.* not finite after step 3"):
        learner.require_finite(3)


def test_layers_to_freeze_that_do_not_exist_are_refused_with_those_that_do() -> None:
    with pytest.raises(ConfigError) as caught:
        Trial(model={"freeze": {"layers": ["hidden_0", "backbone"]}})
    assert "training.model.freeze.layers: no layer of the model begins with 'backbone'" in str(
        caught.value
    )
    assert "Its layers: embedding, hidden_0, wide_ids, hidden_1" in str(caught.value)


def test_making_a_learner_leaves_keras_as_it_was() -> None:
    Trial(execution={"precision": "mixed_bfloat16"})
    assert keras.config.dtype_policy().name == "float32"

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.errors import ConfigError
from components.training.objective import Terms
from tests.unit.components.training.core import Trial, in_order, own_module, table

# One output for the label, and one that should be the numbers; with a layer that adds a loss.
OWN_MODEL = """
import keras

class Sparse(keras.layers.Layer):
    def call(self, inputs):
        self.add_loss(0.01 * keras.ops.mean(keras.ops.abs(inputs)))
        return inputs

def model(shape, *, units, seed):
    inputs = shape.inputs()
    hidden = keras.layers.Dense(
        4, kernel_regularizer=keras.regularizers.L2(0.25), name="code",
        kernel_initializer=keras.initializers.GlorotUniform(seed),
    )(inputs["numeric"])
    hidden = Sparse(name="sparse")(hidden)
    return keras.Model(inputs, {
        "main": keras.layers.Dense(units, name="head")(hidden),
        "numbers": keras.layers.Dense(3, name="decoder")(hidden),
    })

def absolute(targets, outputs):
    return keras.ops.mean(keras.ops.abs(targets - outputs), axis=-1)
"""


def terms(trial: Trial, rows: dict[str, np.ndarray], num_rows: float | None = None) -> Terms:
    columns = {name: tf.constant(column) for name, column in rows.items()}
    return trial.learner.objective(columns, None, num_rows or float(len(rows["label"])))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    return own_module(monkeypatch, tmp_path, OWN_MODEL)


def of_own(own: str, *extra: dict[str, Any], **settings: Any) -> Trial:
    return Trial(model={"function": f"{own}:model"}, loss={"extra": extra}, **settings)


def test_the_loss_is_the_mean_over_the_whole_batch() -> None:
    trial, rows = Trial(), table(12)
    outputs = trial.learner.model({k: v for k, v in rows.items() if k != "label"})
    expected = trial.learner.head.losses(outputs, tf.constant(rows["label"])).numpy()
    assert float(terms(trial, rows).loss) == pytest.approx(expected.mean(), rel=1e-5)
    # A part of a larger batch counts as much less.
    assert float(terms(trial, rows, 48.0).loss) == pytest.approx(expected.sum() / 48, rel=1e-5)


def test_a_row_counts_by_its_weight_and_its_class() -> None:
    rows = table(12) | {"weight": np.linspace(0, 3, 12, dtype=np.float32)}
    trial = Trial(loss={"class_weights": {"yes": 4.0}})
    outputs = trial.learner.model({n: rows[n] for n in ("numeric", "categorical")})
    losses = trial.learner.head.losses(outputs, tf.constant(rows["label"])).numpy()
    weights = rows["weight"] * np.where(rows["label"] == 1, 4, 1)
    assert float(terms(trial, rows).loss) == pytest.approx((losses * weights).mean(), rel=1e-5)


def test_a_row_of_weight_zero_does_not_change_what_is_learned() -> None:
    rows = table(32)
    poisoned = {name: column.copy() for name, column in rows.items()}
    poisoned["label"][::2] = 1 - poisoned["label"][::2]
    weight = np.tile(np.array([0, 1], np.float32), 16)
    one, other = Trial(), Trial()
    one.run(in_order(rows | {"weight": weight}, 5))
    other.run(in_order(poisoned | {"weight": weight}, 5))
    for path, value in one.weights().items():
        np.testing.assert_array_equal(value, other.weights()[path])


def test_an_extra_loss_of_another_output_is_added(own: str) -> None:
    rows = table(16)
    plain = of_own(own)
    squared = of_own(own, {"output": "numbers", "target": "numeric", "weight": 0.5})
    named = of_own(
        own,
        {"output": "numbers", "target": "numeric", "name": f"{own}:absolute", "weight": 2.0},
        {"output": "numbers", "target": "numeric", "name": "MeanSquaredError"},
    )
    numbers = plain.learner.model({n: rows[n] for n in ("numeric", "categorical")})["numbers"]
    errors = np.asarray(numbers) - rows["numeric"]
    base = float(terms(plain, rows).loss)
    assert float(terms(squared, rows).loss) == pytest.approx(
        base + 0.5 * np.mean(errors**2), rel=1e-5
    )
    assert float(terms(named, rows).loss) == pytest.approx(
        base + 2 * np.mean(np.abs(errors)) + np.mean(errors**2), rel=1e-5
    )


def test_an_extra_loss_trains_its_output(own: str) -> None:
    rows = table(64)
    trial = of_own(
        own, {"output": "numbers", "target": "numeric"}, optimizer={"learning_rate": 0.02}
    )
    before = trial.layer("decoder")[0]
    trial.run(in_order(rows, 100))
    numbers = trial.learner.model({n: rows[n] for n in ("numeric", "categorical")})["numbers"]
    assert np.mean((np.asarray(numbers) - rows["numeric"]) ** 2) < 0.5
    assert not np.array_equal(before, trial.layer("decoder")[0])
    # And the main output is what answers.
    scores = trial.learner.scores({n: rows[n] for n in ("numeric", "categorical")})
    assert scores.shape == (64, 1)


def test_a_label_column_may_be_the_target_of_an_output_with_a_last_dimension(own: str) -> None:
    rows = table(16)
    trial = of_own(own, {"output": "main", "target": "label", "name": "mean_absolute_error"})
    outputs = trial.learner.model({n: rows[n] for n in ("numeric", "categorical")})["main"]
    expected = np.mean(np.abs(np.asarray(outputs)[:, 0] - rows["label"]))
    base = float(terms(of_own(own), rows).loss)
    assert float(terms(trial, rows).loss) == pytest.approx(base + expected, rel=1e-5)


def test_regularisation_of_layers_and_losses_that_they_add_are_in_the_penalty(own: str) -> None:
    trial, rows = of_own(own), table(16)
    kernel, bias = trial.layer("code")
    hidden = rows["numeric"] @ kernel + bias
    expected = 0.25 * np.sum(kernel**2) + 0.01 * np.mean(np.abs(hidden))
    assert float(terms(trial, rows).penalty) == pytest.approx(expected, rel=1e-5)


def test_l2_is_half_the_squared_sum_of_all_matrices() -> None:
    trial = Trial(loss={"l2": 0.1})
    matrices = [w for w in trial.weights().values() if w.ndim > 1]
    expected = 0.05 * sum(float(np.sum(matrix**2)) for matrix in matrices)
    assert float(terms(trial, table(4)).penalty) == pytest.approx(expected, rel=1e-5)
    assert float(terms(Trial(), table(4)).penalty) == 0


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (
            {"output": "nothing"},
            "training.loss.extra: the model has no output 'nothing'. Its outputs: main, numbers.",
        ),
        (
            {"output": "numbers", "name": "mean_squard_error"},
            "training.loss.extra.name: Keras has no loss 'mean_squard_error'",
        ),
        (
            {"output": "numbers", "name": "components.errors:loss"},
            "training.loss.extra.name: module components.errors was imported, but loss",
        ),
    ],
)
def test_an_extra_loss_that_does_not_exist_is_refused(
    own: str, extra: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        of_own(own, extra)
    assert message in str(caught.value)


def test_a_target_that_is_no_column_is_refused(own: str) -> None:
    trial = of_own(own, {"output": "numbers", "target": "numbers"})
    with pytest.raises(ConfigError, match=r"no transformed column 'numbers'\. There are: numeric,"):
        terms(trial, table(4))


def test_a_custom_layer_learns(own: str) -> None:
    trial, rows = of_own(own, optimizer={"learning_rate": 0.02}), table(64)
    assert isinstance(trial.learner.model.get_layer("sparse"), keras.layers.Layer)
    losses = trial.run(in_order(rows, 60)).losses
    assert losses[-5:].mean() < 0.6 * losses[:5].mean()

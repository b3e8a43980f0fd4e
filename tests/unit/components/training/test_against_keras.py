"""Our steps against Keras' own `compile` and `fit`, on the same batches in the same order."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.features import DataSpec, Feature
from components.training.batches import Batches, Call
from components.training.data import CachedWindows, Rows, Split
from components.training.evaluation import compile_evaluation
from components.training.models.build import build_model
from components.training.models.shape import InputShape
from components.training.settings import TrainingSettings
from tests.unit.components.training.core import LABELS, NUMBERS, SHAPE, Trial, table

STEPS, BATCH = 100, 16
LOSSES = {
    "binary": lambda: keras.losses.BinaryCrossentropy(from_logits=True),
    "multiclass": lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    "regression": lambda: keras.losses.MeanSquaredError(),
}


def batches_of(call: Call, features: tuple[str, ...]) -> tf.data.Dataset:
    """What `fit` reads: (columns, labels, weights) of each batch of `call`."""
    rows = {name: column[call.index] for name, column in call.rows.items()}
    weights = rows.get("weight", np.ones(call.index.shape, np.float32))
    return tf.data.Dataset.from_tensor_slices(
        ({name: rows[name] for name in features}, rows["label"], weights)
    )


def keras_model(settings: TrainingSettings, shape: InputShape, units: int) -> keras.Model:
    return build_model(settings.model, shape, units=units, seed=settings.seed)


@pytest.mark.parametrize(
    ("problem", "shape", "optimizer", "theirs"),
    [
        # Keras' Adam is another one where an id comes twice in a batch, so here are none.
        ("binary", NUMBERS, {"name": "adam"}, lambda rate: keras.optimizers.Adam(rate)),
        (
            "multiclass",
            NUMBERS,
            {"name": "rmsprop", "clip": "global_norm", "clip_at": 0.5},
            lambda rate: keras.optimizers.RMSprop(rate, global_clipnorm=0.5),
        ),
        (
            "binary",
            SHAPE,
            {"name": "sgd", "learning_rate": 0.1},
            lambda rate: keras.optimizers.SGD(rate, momentum=0.9),
        ),
        (
            "regression",
            SHAPE,
            {"name": "sgd", "learning_rate": 0.02, "schedule": "constant"},
            lambda rate: keras.optimizers.SGD(0.02, momentum=0.9),
        ),
    ],
    ids=["adam", "rmsprop clipped", "sgd with ids", "regression"],
)
def test_weights_and_metrics_are_those_of_fit(
    problem: str, shape: InputShape, optimizer: dict[str, Any], theirs: Any
) -> None:
    trial = Trial(problem, shape, total_steps=STEPS, optimizer=optimizer, seed=3)
    rows = table(300, problem, shape)
    call = Batches(CachedWindows(rows), batch_size=BATCH, seed=3).take(STEPS)
    ours = trial.run(call).losses

    model = keras_model(trial.settings, shape, trial.learner.head.units)
    peak = trial.settings.optimizer.learning_rate
    losses: list[float] = []
    model.compile(theirs(keras.optimizers.schedules.CosineDecay(peak, STEPS)), LOSSES[problem]())
    record = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda _, logs: losses.append(logs["loss"])
    )
    model.fit(
        batches_of(call, tuple(shape.columns())),
        epochs=STEPS,
        steps_per_epoch=1,
        shuffle=False,
        verbose=0,
        callbacks=[record],
    )

    np.testing.assert_allclose(ours, losses, rtol=1e-4, atol=1e-5)
    for weight, other in zip(trial.learner.model.weights, model.weights, strict=True):
        assert weight.path.split("/")[-2:] == other.path.split("/")[-2:]
        np.testing.assert_allclose(
            weight.numpy(), other.numpy(), rtol=1e-5, atol=1e-5, err_msg=weight.path
        )


def test_sample_weights_are_those_of_fit() -> None:
    rows = table(200) | {"weight": np.random.default_rng(0).uniform(0, 3, 200).astype(np.float32)}
    sgd = {"name": "sgd", "learning_rate": 0.1, "schedule": "constant"}
    trial = Trial(optimizer=sgd)
    call = Batches(CachedWindows(rows), batch_size=BATCH, seed=0).take(30)
    trial.run(call)
    model = keras_model(trial.settings, SHAPE, 1)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), LOSSES["binary"]())
    model.fit(batches_of(call, ("numeric", "categorical")), shuffle=False, verbose=0)
    for weight, other in zip(trial.learner.model.weights, model.weights, strict=True):
        np.testing.assert_allclose(weight.numpy(), other.numpy(), rtol=1e-4, atol=1e-5)


class Kept(Split):
    """A split whose rows are in memory, in chunks of 70."""

    def __init__(self, rows: Rows, problem: str) -> None:
        spec = DataSpec(
            features=(Feature(name="x", kind="numeric", dtype="float"),), label=LABELS[problem]
        )
        super().__init__((), {"numeric": tf.io.FixedLenFeature([3], tf.float32)}, spec)
        object.__setattr__(self, "rows", rows)

    def chunks(self, **options: Any) -> Any:
        for start in range(0, len(self.rows["label"]), 70):
            yield {name: column[start : start + 70] for name, column in self.rows.items()}


@pytest.mark.parametrize(
    ("problem", "metric", "name"),
    [
        ("binary", lambda: keras.metrics.BinaryAccuracy(threshold=0.0), "accuracy"),
        ("multiclass", lambda: keras.metrics.SparseCategoricalAccuracy(), "accuracy"),
        ("regression", lambda: keras.metrics.RootMeanSquaredError(), "rmse"),
    ],
)
def test_an_evaluation_is_that_of_keras(problem: str, metric: Any, name: str) -> None:
    trial = Trial(problem, NUMBERS, optimizer={"learning_rate": 0.02})
    trial.run(Batches(CachedWindows(table(90, problem, NUMBERS)), batch_size=16, seed=0).take(30))
    rows = table(250, problem, NUMBERS, seed=1)
    evaluate = compile_evaluation(
        trial.learner, Kept(rows, problem), problem=trial_problem(problem), cache_bytes=2**20
    )
    found, again = evaluate(), evaluate()
    assert again.metrics == found.metrics
    model = trial.learner.model
    model.compile(loss=LOSSES[problem](), metrics=[metric()])
    loss, value = model.evaluate({"numeric": rows["numeric"]}, rows["label"], verbose=0)
    assert found.metrics["rows"] == 250
    assert found.metrics["loss"] == pytest.approx(loss, rel=1e-5)
    assert found.metrics[name] == pytest.approx(value, rel=1e-5)
    np.testing.assert_array_equal(found.labels, rows["label"])
    assert found.scores.shape == (250, trial.learner.head.units)
    np.testing.assert_allclose(
        found.scores, trial.learner.scores({"numeric": rows["numeric"]}), rtol=1e-5, atol=1e-6
    )


def trial_problem(problem: str) -> Any:
    return LABELS[problem].problem


def test_an_evaluation_weighs_rows_reads_no_more_than_asked_and_uses_the_averages() -> None:
    trial = Trial(shape=NUMBERS, optimizer={"ema": 0.99, "learning_rate": 0.1})
    trial.run(Batches(CachedWindows(table(90, shape=NUMBERS)), batch_size=16, seed=0).take(30))
    rows = table(250, shape=NUMBERS, seed=1)
    rows["weight"] = np.linspace(0, 2, 250, dtype=np.float32)
    found = compile_evaluation(
        trial.learner, Kept(rows, "binary"), problem="binary", max_rows=100
    )()
    trial.learner.take_averages()
    part = {name: column[:100] for name, column in rows.items()}
    outputs = trial.learner.model({"numeric": part["numeric"]})
    losses = trial.learner.head.losses(outputs, tf.constant(part["label"])).numpy()
    assert found.metrics["rows"] == 100
    expected = np.average(losses.astype(float), weights=part["weight"])
    assert found.metrics["loss"] == pytest.approx(expected, rel=1e-5)

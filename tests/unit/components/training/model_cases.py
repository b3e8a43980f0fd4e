"""Shapes, rows and a plain training loop, to try networks with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.training.models.build import build_model
from components.training.models.settings import ModelSettings
from components.training.models.shape import InputShape, Tokens

Columns = dict[str, np.ndarray]

TABLE = InputShape(numeric_width=3, num_slots=2, num_ids=20)
SEQUENCES = InputShape(
    numeric_width=3, num_slots=2, num_ids=20, tokens=Tokens(length=12, num_ids=30), series=(10, 2)
)
EVERYTHING = InputShape(
    numeric_width=3,
    num_slots=2,
    num_ids=20,
    image=(8, 8, 1),
    tokens=Tokens(length=12, num_ids=30),
    series=(10, 2),
)
LARGE = dataclasses.replace(EVERYTHING, image=(32, 32, 1))
# Each network with the most columns that it reads.
NETWORKS: dict[str, tuple[ModelSettings, InputShape]] = {
    "linear": (ModelSettings(name="linear"), TABLE),
    "wide_deep": (ModelSettings(name="wide_deep"), TABLE),
    "mlp": (ModelSettings(name="mlp", embedding_dim=0, dropout=0.1), TABLE),
    "dcn": (ModelSettings(name="dcn"), TABLE),
    "dcn_low_rank": (ModelSettings(name="dcn", cross_rank=2, cross_layout="parallel"), TABLE),
    "cnn": (
        ModelSettings(name="cnn", augmentation={"flip": True, "rotate": 0.1, "contrast": 0.2}),
        EVERYTHING,
    ),
    "vgg": (ModelSettings(name="vgg", filters=(4, 8)), EVERYTHING),
    "mobilenet": (ModelSettings(name="mobilenet", alpha=0.35), LARGE),
    "conv1d": (ModelSettings(name="conv1d"), SEQUENCES),
    "gru": (ModelSettings(name="gru", gru_units=8), SEQUENCES),
}


def random_rows(shape: InputShape, count: int, seed: int = 0) -> Columns:
    """Random values in all columns of `shape`."""
    random = np.random.default_rng(seed)
    bounds = {"categorical": shape.num_ids, "image": 256}
    if shape.tokens:
        bounds["tokens"] = shape.tokens.num_ids
    columns = {}
    for name, (size, dtype) in shape.columns().items():
        if name in bounds:
            columns[name] = random.integers(0, bounds[name], (count, *size)).astype(dtype)
        else:
            columns[name] = random.normal(size=(count, *size)).astype(dtype)
    return columns


def build(shape: InputShape, *, units: int = 1, seed: int = 0, **settings: Any) -> keras.Model:
    """The network of some settings."""
    return build_model(ModelSettings(**settings), shape, units=units, seed=seed)


def train(
    model: keras.Model,
    rows: Columns,
    labels: np.ndarray,
    *,
    steps: int,
    batch_size: int = 64,
    learning_rate: float = 0.005,
) -> None:
    """Steps of Adam on the cross-entropy of binary labels, or the squared error of others."""
    optimizer = keras.optimizers.Adam(learning_rate)
    optimizer.build(model.trainable_variables)
    loss = _loss(labels)

    @tf.function(autograph=False)
    def step(batch: Columns, targets: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            value = tf.reduce_mean(loss(targets, model(batch, training=True)))
        optimizer.apply(tape.gradient(value, model.trainable_variables))

    random = np.random.default_rng(0)
    for _ in range(steps):
        picked = random.integers(0, len(labels), batch_size)
        batch = {name: tf.constant(column[picked]) for name, column in rows.items()}
        step(batch, tf.constant(labels[picked], tf.float32)[:, None])


def _loss(labels: np.ndarray) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    if labels.dtype == bool:
        return lambda targets, outputs: tf.nn.sigmoid_cross_entropy_with_logits(targets, outputs)
    return lambda targets, outputs: tf.square(targets - outputs)


def accuracy(model: keras.Model, rows: Columns, labels: np.ndarray) -> float:
    """The share of rows whose binary label the model tells."""
    return float(np.mean((answers(model, rows)[:, 0] > 0) == labels))


def answers(model: keras.Model, rows: Columns) -> np.ndarray:
    """What the model puts out when it does not train."""
    return np.asarray(model(rows, training=False))

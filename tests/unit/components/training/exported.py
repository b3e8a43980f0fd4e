"""Models trained just enough to answer differently for different rows, and how they are asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components.training.columns import TARGETS, inputs_of, prepare
from components.training.heads import Head, make_head
from components.training.models.build import build_model
from components.training.models.settings import ModelSettings
from components.training.models.shape import input_shape
from tests.unit.components.training.datasets import Dataset, serialized

Columns = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Trained:
    """What an export needs of a learner, and no more."""

    model: keras.Model
    head: Head

    def scores(self, columns: dict[str, tf.Tensor]) -> tf.Tensor:
        return self.head.scores(self.model(columns, training=False))


def prepared(dataset: Dataset, split: str) -> Columns:
    """All transformed rows of a split, as a model reads them."""
    output = tft.TFTransformOutput(str(dataset.graph))
    paths = sorted(path for pattern in dataset.files(split) for path in tf.io.gfile.glob(pattern))
    records = list(tf.data.TFRecordDataset(paths, "GZIP").as_numpy_iterator())
    columns = tf.io.parse_example(records, output.transformed_feature_spec())
    return {name: c.numpy() for name, c in prepare(columns, dataset.spec).items()}


def in_batches(columns: Columns, size: int = 64) -> Iterator[Columns]:
    for start in range(0, len(columns["label"]), size):
        yield {name: column[start : start + size] for name, column in columns.items()}


def untrained(dataset: Dataset, seed: int = 0, **settings: Any) -> Trained:
    head = make_head(dataset.spec.label)
    shape = input_shape(dataset.spec, tft.TFTransformOutput(str(dataset.graph)))
    model = build_model(ModelSettings(**settings), shape, units=head.units, seed=seed)
    return Trained(model, head)


def trained(dataset: Dataset, steps: int = 30, **settings: Any) -> Trained:
    learner = untrained(dataset, **settings)
    fit(learner, prepared(dataset, "train"), steps=steps)
    return learner


def fit(learner: Trained, rows: Columns, *, steps: int) -> None:
    learner.head.fit([rows["label"]])
    optimizer = keras.optimizers.Adam(0.01)
    order = np.random.default_rng(0)

    @tf.function(autograph=False)
    def step(columns: dict[str, tf.Tensor]) -> None:
        with tf.GradientTape() as tape:
            outputs = learner.model(inputs_of(columns), training=True)
            loss = tf.reduce_mean(learner.head.losses(outputs, columns["label"]))
        variables = learner.model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    for _ in range(steps):
        index = order.integers(len(rows["label"]), size=64)
        step({name: tf.constant(column[index]) for name, column in rows.items()})


class Exported:
    """A trained model, in memory and as a SavedModel."""

    def __init__(self, dataset: Dataset, learner: Trained, folder: Path) -> None:
        self.dataset = dataset
        self.learner = learner
        self.folder = folder
        self.loaded = tf.saved_model.load(str(folder))

    def ask(self, signature: str, **inputs: Any) -> dict[str, np.ndarray]:
        answer = self.loaded.signatures[signature](
            **{name: tf.constant(value) for name, value in inputs.items()}
        )
        return {name: tensor.numpy() for name, tensor in answer.items()}

    def expected_scores(self, rows: list[dict[str, Any]]) -> np.ndarray:
        """What the model in memory answers, given what TensorFlow Transform makes of `rows`."""
        output = tft.TFTransformOutput(str(self.dataset.graph))
        spec = self.dataset.spec
        types = {"float": tf.float32, "int": tf.int64, "bytes": tf.string}
        parse = {f.name: tf.io.VarLenFeature(types[f.dtype]) for f in spec.features}
        raw = tf.io.parse_example([serialized(row) for row in rows], parse)
        columns = output.transform_raw_features(raw, drop_unused_features=True)
        kept = {name: columns[name] for name in columns if name not in TARGETS}
        return self.learner.scores(prepare(kept, spec)).numpy()

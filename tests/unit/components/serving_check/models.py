"""A tiny transform, its data, and a model that embeds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import tensorflow as tf
import tensorflow_transform as tft

from components.features import Problem
from tests.unit.components.serving_check.specs import CLASSES

RAW_SPEC = {
    "fare": tf.io.VarLenFeature(tf.float32),
    "hour": tf.io.VarLenFeature(tf.int64),
    "company": tf.io.VarLenFeature(tf.string),
    "paid": tf.io.VarLenFeature(tf.string),
    "note": tf.io.VarLenFeature(tf.string),
}

Tensors = Mapping[str, Any]
ServeFn = Callable[[Tensors], Tensors]


class MakeModel(Protocol):
    """Exports a model; see `make_model`."""

    def __call__(
        self,
        name: str,
        *,
        problem: Problem = ...,
        on_raw: ServeFn = ...,
        on_outputs: ServeFn = ...,
        on_columns: ServeFn = ...,
        without: str = ...,
    ) -> Path: ...


def make_row(i: int) -> dict[str, list[Any]]:
    """A row that now and then lacks a value."""
    row: dict[str, list[Any]] = {
        "fare": [3.5 + i % 17],
        "hour": [i % 24],
        "company": [b"abc"[i % 3 : i % 3 + 1]],
        "paid": [b"yes" if i % 2 else b"no"],
        "note": [b"seen by nobody"],
    }
    if i % 5 == 4:
        row["fare"] = []
    return row


def _dense(values: tf.SparseTensor, default: Any) -> tf.Tensor:
    column = tf.SparseTensor(values.indices, values.values, [values.dense_shape[0], 1])
    return tf.squeeze(tf.sparse.to_dense(column, default_value=default), 1)


def _present(column: tf.Tensor, present: tf.Tensor) -> tf.SparseTensor:
    where = tf.where(present[:, tf.newaxis])
    shape = tf.stack([tf.size(column, tf.int64), 1])
    return tf.SparseTensor(where, tf.boolean_mask(column, present), shape)


def preprocess(raw: Tensors) -> Tensors:
    numbers = [
        tft.scale_to_z_score(_dense(raw["fare"], 0.0)),
        tft.scale_to_z_score(tf.cast(_dense(raw["hour"], 0), tf.float32)),
    ]
    ids = tft.compute_and_apply_vocabulary(_dense(raw["company"], b""), num_oov_buckets=1)
    return {
        "numeric": tf.stack(numbers, 1),
        "categorical": tf.stack([ids], 1),
        "label": tf.cast(_dense(raw["paid"], b"") == b"yes", tf.int64),
    }


def serialize(row: Mapping[str, list[Any]]) -> bytes:
    example = tf.train.Example()
    for name, values in row.items():
        feature = example.features.feature[name]
        if RAW_SPEC[name].dtype == tf.string:
            feature.bytes_list.value.extend(values)
        elif RAW_SPEC[name].dtype == tf.int64:
            feature.int64_list.value.extend(values)
        else:
            feature.float_list.value.extend(values)
    return example.SerializeToString()


class TinyModel(tf.Module):
    def __init__(
        self,
        transform_graph: Path,
        problem: Problem,
        on_raw: ServeFn,
        on_outputs: ServeFn,
        on_columns: ServeFn,
    ) -> None:
        super().__init__()
        self._layer = tft.TFTransformOutput(str(transform_graph)).transform_features_layer()
        self._problem = problem
        self._on_raw = on_raw
        self._on_outputs = on_outputs
        self._on_columns = on_columns
        width = {"binary": 1, "multiclass": 3, "regression": 1}[problem]
        generator = tf.random.Generator.from_seed(7)
        self._numeric = tf.Variable(generator.normal([2, width]))
        self._embedding = tf.Variable(generator.normal([4, width]))

    def _scores(self, numeric: tf.Tensor, categorical: tf.Tensor) -> tf.Tensor:
        logits = tf.matmul(numeric, self._numeric) + tf.gather(self._embedding, categorical[:, 0])
        if self._problem == "regression":
            return logits
        return tf.sigmoid(logits) if self._problem == "binary" else tf.nn.softmax(logits)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples: tf.Tensor) -> Tensors:
        spec = {name: RAW_SPEC[name] for name in ("fare", "hour", "company")}
        return self._answer(self._on_raw(tf.io.parse_example(examples, spec)))

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.float32, name="fare"),
            tf.TensorSpec([None], tf.int64, name="hour"),
            tf.TensorSpec([None], tf.string, name="company"),
        ]
    )
    def serve_raw(self, fare: tf.Tensor, hour: tf.Tensor, company: tf.Tensor) -> Tensors:
        columns = {
            "fare": _present(fare, ~tf.math.is_nan(fare)),
            "hour": _present(hour, hour != tf.int64.min),
            "company": _present(company, company != ""),
        }
        return self._answer(self._on_raw(self._on_columns(columns)))

    def _answer(self, raw: Tensors) -> Tensors:
        transformed = self._layer(raw)
        scores = self._scores(transformed["numeric"], transformed["categorical"])
        if self._problem == "regression":
            return self._on_outputs({"prediction": scores})
        outputs = {"probability": scores} if self._problem == "binary" else {}
        if self._problem == "binary":
            scores = tf.concat([1 - scores, scores], 1)
        names = tf.constant(CLASSES[self._problem])
        return self._on_outputs(
            {
                **outputs,
                "scores": scores,
                "classes": tf.tile(names[tf.newaxis], [tf.shape(scores)[0], 1]),
                "label": tf.gather(names, tf.argmax(scores, 1)),
            }
        )

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def transform(self, examples: tf.Tensor) -> Tensors:
        return dict(self._layer(tf.io.parse_example(examples, RAW_SPEC)))

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 2], tf.float32, name="numeric"),
            tf.TensorSpec([None, 1], tf.int64, name="categorical"),
        ]
    )
    def score(self, numeric: tf.Tensor, categorical: tf.Tensor) -> Tensors:
        return {"scores": self._scores(numeric, categorical)}

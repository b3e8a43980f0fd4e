"""The preprocessing_fn: what TensorFlow Transform computes over the data and puts in the graph.

The same graph runs over the training data, in the evaluation and inside the served model, so a
model cannot see other features in production than in training.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from components.features import (
    CATEGORICAL,
    IMAGE,
    LABEL,
    NUMERIC,
    SERIES,
    TIMESTAMP,
    TOKENS,
    WEIGHT,
    DataSpec,
    Label,
)
from components.transform.categories import category_ids
from components.transform.inputs import as_float, dense
from components.transform.numbers import bucket_numbers, scaled_numbers
from components.transform.pixels import raw_pixels
from components.transform.sequences import scaled_series, token_ids
from components.transform.settings import TransformSettings
from components.transform.times import time_parts

Inputs = dict[str, Any]


def preprocessing_fn(inputs: Inputs, custom_config: dict[str, Any]) -> dict[str, tf.Tensor]:
    """Builds the transform graph.

    Args:
        inputs: raw column name to a SparseTensor (or dense tensor) of at most one value an example,
            or of any number where the column is a series.
        custom_config: `data_spec` and `settings`, a DataSpec and TransformSettings as JSON.

    Returns:
        The tensors described in `components.features`: `label`, and each of the others where the
        spec has such columns.

    Source: https://www.tensorflow.org/tfx/transform/get_started
    """
    spec = DataSpec.model_validate_json(custom_config["data_spec"])
    settings = TransformSettings.model_validate_json(custom_config["settings"])
    outputs = {LABEL: make_label(inputs, spec.label)}
    buckets = {}
    numbers = []
    numeric = spec.of_kind(NUMERIC)
    if numeric:
        values = tf.stack([as_float(inputs[f.name]) for f in numeric], axis=1)
        numbers.append(scaled_numbers(values, numeric))
        buckets = bucket_numbers(values, numeric)
    numbers += [time_parts(inputs[f.name], f) for f in spec.of_kind(TIMESTAMP)]
    if numbers:
        outputs[NUMERIC] = tf.concat(numbers, axis=1)
    if spec.slots:
        outputs[CATEGORICAL] = category_ids(inputs, spec, settings, buckets)
    for feature in spec.of_kind("image"):
        outputs[IMAGE] = raw_pixels(dense(inputs[feature.name], ""), feature)
    for feature in spec.of_kind("text"):
        outputs[TOKENS] = token_ids(dense(inputs[feature.name], ""), feature, settings)
    series = spec.of_kind("series")
    if series:
        outputs[SERIES] = scaled_series(inputs, series)
    if spec.weight is not None:
        # A row counts once where nothing is said.
        outputs[WEIGHT] = as_float(inputs[spec.weight], missing=1.0)
    return outputs


def make_label(inputs: Inputs, label: Label) -> tf.Tensor:
    """The label as class index (int64) or value (float32), shape [batch].

    A missing or unknown class becomes -1, which no loss accepts: the data gate stops such rows
    before they get here.
    """
    if label.ratio_to is not None:
        share = tf.constant(label.above, tf.float32)
        numerator = tf.cast(dense(inputs[label.column], 0), tf.float32)
        denominator = tf.cast(dense(inputs[label.ratio_to], 0), tf.float32)
        # A trip without a fare has no tip share: class 0.
        return tf.cast((denominator > 0) & (numerator > share * denominator), tf.int64)
    if label.problem == "regression":
        return as_float(inputs[label.column])
    if label.dtype == "bytes":
        values, classes = dense(inputs[label.column], ""), tf.constant(label.classes)
    else:
        values = tf.cast(dense(inputs[label.column], 0), tf.float32)
        classes = tf.constant([float(name) for name in label.classes], tf.float32)
    hits = tf.cast(tf.equal(values[:, tf.newaxis], classes[tf.newaxis, :]), tf.int64)
    return tf.reduce_sum(hits * (tf.range(len(label.classes), dtype=tf.int64) + 1), axis=1) - 1

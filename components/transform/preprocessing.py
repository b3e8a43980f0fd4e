"""The preprocessing_fn: what TensorFlow Transform computes over the data and puts in the graph.

The same graph runs over the training data, in the evaluation and inside the served model, so a
model cannot see other features in production than in training.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from components.features import (
    CATEGORICAL,
    LABEL,
    NUMERIC,
    VOCABULARY,
    DataSpec,
    Feature,
    Label,
)
from components.transform.settings import TransformSettings

# Heavy tails (fares, distances) keep their order through the quantile buckets; the scaled value is
# clipped so that one wild number cannot dominate a batch.
_MAX_Z_SCORE = 10.0

Inputs = dict[str, Any]


def preprocessing_fn(inputs: Inputs, custom_config: dict[str, Any]) -> dict[str, tf.Tensor]:
    """Builds the transform graph.

    Args:
        inputs: raw column name to a SparseTensor (or dense tensor) of at most one value an example.
        custom_config: `data_spec` and `settings`, a DataSpec and TransformSettings as JSON.

    Returns:
        The tensors `numeric`, `categorical` and `label` described in `components.features`; the
        first two only where the spec has such columns.

    Source: https://www.tensorflow.org/tfx/transform/get_started
    """
    spec = DataSpec.model_validate_json(custom_config["data_spec"])
    settings = TransformSettings.model_validate_json(custom_config["settings"])
    outputs = {LABEL: make_label(inputs, spec.label)}
    slots: list[tf.Tensor] = []
    next_id = tf.constant(0, tf.int64)
    categorical = spec.of_kind(CATEGORICAL)
    if categorical:
        terms = tf.stack([_terms(inputs[f.name], f) for f in categorical], axis=1)
        ids, next_id = _vocabulary_ids(terms, settings)
        slots.append(ids)
    numeric = spec.of_kind(NUMERIC)
    if numeric:
        values = tf.stack([_as_float(inputs[f.name]) for f in numeric], axis=1)
        outputs[NUMERIC] = _scale(values, numeric)
        slots += _bucket_ids(values, numeric, next_id)
    if slots:
        outputs[CATEGORICAL] = tf.concat(slots, axis=1)
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
        return _as_float(inputs[label.column])
    if label.dtype == "bytes":
        values, classes = dense(inputs[label.column], ""), tf.constant(label.classes)
    else:
        values = tf.cast(dense(inputs[label.column], 0), tf.float32)
        classes = tf.constant([float(name) for name in label.classes], tf.float32)
    hits = tf.cast(tf.equal(values[:, tf.newaxis], classes[tf.newaxis, :]), tf.int64)
    return tf.reduce_sum(hits * (tf.range(len(label.classes), dtype=tf.int64) + 1), axis=1) - 1


def dense(column: Any, missing: str | float) -> tf.Tensor:
    """One value an example, shape [batch]; `missing` where an example has none."""
    if not isinstance(column, tf.SparseTensor):
        return tf.reshape(column, [-1])
    rows = tf.SparseTensor(column.indices, column.values, [column.dense_shape[0], 1])
    filler = tf.cast(missing, column.dtype) if column.dtype != tf.string else missing
    return tf.squeeze(tf.sparse.to_dense(rows, filler), axis=1)


def _as_float(column: Any) -> tf.Tensor:
    """One float32 an example, NaN where it has none: shape [batch]."""
    if isinstance(column, tf.SparseTensor):
        values = tf.cast(column.values, tf.float32)
        column = tf.SparseTensor(column.indices, values, column.dense_shape)
    return tf.cast(dense(column, float("nan")), tf.float32)


def _scale(values: tf.Tensor, features: tuple[Feature, ...]) -> tf.Tensor:
    """Z-scores, missing as the mean; then a missing flag for every column without buckets."""
    missing = tf.math.is_nan(values)
    # In double precision, so that the order in which Beam adds batches up does not show: a column
    # such as a latitude, whose values are alike, would differ from run to run in the third digit.
    scores = tft.scale_to_z_score(tf.cast(values, tf.float64), elementwise=True)
    scores = tf.where(missing | tf.math.is_nan(scores), tf.zeros_like(scores), scores)
    scores = tf.cast(tf.clip_by_value(scores, -_MAX_Z_SCORE, _MAX_Z_SCORE), tf.float32)
    flagged = [index for index, feature in enumerate(features) if not feature.buckets]
    if not flagged:
        return scores
    return tf.concat([scores, tf.cast(tf.gather(missing, flagged, axis=1), tf.float32)], axis=1)


def _bucket_ids(
    values: tf.Tensor, features: tuple[Feature, ...], next_id: tf.Tensor
) -> list[tf.Tensor]:
    """The quantile bucket of each column that asks for buckets, as ids from `next_id` on.

    Columns of one bucket count share one analyzer: a pass over the data costs by the analyzer.
    """
    columns: dict[int, tf.Tensor] = {}
    for count in sorted({feature.buckets for feature in features if feature.buckets}):
        members = [index for index, feature in enumerate(features) if feature.buckets == count]
        group = tf.gather(values, members, axis=1)
        boundaries = tft.quantiles(group, count, epsilon=0.01, reduce_instance_dims=False)
        boundaries = tf.ensure_shape(boundaries, [len(members), count - 1])
        found = tf.searchsorted(boundaries, tf.transpose(group), side="right", out_type=tf.int64)
        missing = tf.transpose(tf.math.is_nan(group))
        found = tf.where(missing, tf.zeros_like(found), found + 1)
        columns.update({index: found[row] for row, index in enumerate(members)})
    slots = []
    for index in sorted(columns):
        slots.append((columns[index] + next_id)[:, tf.newaxis])
        next_id += 1 + features[index].buckets
    return slots


def _terms(column: Any, feature: Feature) -> tf.Tensor:
    """`column=value` for each example, shape [batch]; a missing value is the empty value."""
    if column.dtype.is_floating:
        raise ValueError(f"Column {feature.name!r} holds floats: it cannot be categorical.")
    if column.dtype != tf.string:
        if isinstance(column, tf.SparseTensor):
            text = tf.strings.as_string(column.values)
            column = tf.SparseTensor(column.indices, text, column.dense_shape)
        else:
            column = tf.strings.as_string(column)
    prefix = feature.name.replace("=", "\\=") + "="
    return tf.strings.join([prefix, dense(column, "")])


def _vocabulary_ids(terms: tf.Tensor, settings: TransformSettings) -> tuple[tf.Tensor, tf.Tensor]:
    """The ids of `terms` [batch, columns], and the first id that is still free.

    All columns share one vocabulary: Beam runs some ten stages for each, whatever its size, so
    one a column would make a wide table slow. A value seen less than `min_count` times has the id
    of its column's unseen values, which so learns what a rare value means.
    """
    asset = tft.vocabulary(
        terms,
        top_k=settings.vocabulary_size,
        frequency_threshold=settings.min_count,
        vocab_filename=VOCABULARY,
        name=VOCABULARY,
    )
    ids = tft.apply_vocabulary(terms, asset, default_value=-1)
    num_terms = tft.experimental.get_vocabulary_size_by_name(VOCABULARY)
    unseen = num_terms + tf.range(terms.shape[1], dtype=tf.int64)
    return tf.where(ids < 0, unseen[tf.newaxis, :], ids), num_terms + terms.shape[1]

"""Raw columns as dense tensors, one value an example."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def dense(column: Any, missing: str | float) -> tf.Tensor:
    """One value an example, shape [batch]; `missing` where an example has none."""
    if not isinstance(column, tf.SparseTensor):
        return tf.reshape(column, [-1])
    rows = tf.SparseTensor(column.indices, column.values, [column.dense_shape[0], 1])
    filler = tf.cast(missing, column.dtype) if column.dtype != tf.string else missing
    return tf.squeeze(tf.sparse.to_dense(rows, filler), axis=1)


def as_float(
    column: Any, dtype: tf.DType = tf.float32, *, missing: float = float("nan")
) -> tf.Tensor:
    """One float an example, `missing` where it has none: shape [batch]."""
    return dense(_with_values(column, lambda values: tf.cast(values, dtype)), missing)


def as_text(column: Any) -> tf.Tensor:
    """The text of one value an example, the empty string where it has none: string [batch]."""
    if column.dtype != tf.string:
        column = _with_values(column, tf.strings.as_string)
    return dense(column, "")


def _with_values(column: Any, change: Any) -> Any:
    if not isinstance(column, tf.SparseTensor):
        return change(column)
    return tf.SparseTensor(column.indices, change(column.values), column.dense_shape)

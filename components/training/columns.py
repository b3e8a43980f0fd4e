"""From the columns of a transformed example to the tensors that models read.

Training, evaluation and the exported model all come through here, so they cannot disagree.
"""

from __future__ import annotations

import tensorflow as tf

from components.features import (
    CATEGORICAL,
    IMAGE,
    LABEL,
    NUMERIC,
    SERIES,
    TOKENS,
    WEIGHT,
    DataSpec,
)

Columns = dict[str, tf.Tensor]

# What is not an input of the model.
TARGETS = (LABEL, WEIGHT)


def prepare(columns: Columns, spec: DataSpec) -> Columns:
    """Gives each column the type and shape that models read.

    Args:
        columns: what Transform puts out, described in `components.features`; label and weight may
            be missing.
        spec: the columns, with the image's size.

    Returns:
        `numeric` float32 [batch, width], `categorical` int32 [batch, slots], `image` uint8 [batch,
        height, width, channels], `tokens` int32 [batch, length], `series` float32 [batch, length,
        channels], `label` int32 or, for regression, float32 [batch], `weight` float32 [batch]; only
        those that are in `columns`.
    """
    label_type = tf.float32 if spec.label.problem == "regression" else tf.int32
    types = {
        NUMERIC: tf.float32,
        CATEGORICAL: tf.int32,
        TOKENS: tf.int32,
        SERIES: tf.float32,
        LABEL: label_type,
        WEIGHT: tf.float32,
    }
    present = {name: kind for name, kind in types.items() if name in columns}
    prepared = {name: tf.cast(columns[name], kind) for name, kind in present.items()}
    if IMAGE in columns:
        [image] = spec.of_kind("image")
        pixels = tf.io.decode_raw(
            columns[IMAGE], tf.uint8, fixed_length=image.height * image.width * image.channels
        )
        prepared[IMAGE] = tf.reshape(pixels, [-1, image.height, image.width, image.channels])
    return prepared


def inputs_of(columns: Columns) -> Columns:
    """The columns that a model reads: all but label and weight."""
    return {name: column for name, column in columns.items() if name not in TARGETS}

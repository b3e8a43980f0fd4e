"""Texts and series in the transform graph: what has a length becomes a fixed number of steps."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from components.features import TOKEN_VOCABULARY, Feature
from components.transform.settings import TransformSettings

# What is not a letter, a mark that belongs to one, a digit or an underscore, in any script.
_NOT_WORD = r"[^\pL\pM\pN_]+"
_NUM_SPECIAL = 2  # 0 is padding, 1 an unseen word
_MAX_Z_SCORE = 10.0
_MISSING = float("nan")


def token_ids(texts: tf.Tensor, feature: Feature, settings: TransformSettings) -> tf.Tensor:
    """The ids of the first words of each text.

    Args:
        texts: UTF-8, string [batch]; the empty string is a missing text.
        feature: says how many words are kept.
        settings: the size of the vocabulary, and how often a word must be seen.

    Returns:
        int64 [batch, length]: 0 is padding, 1 an unseen word, then the vocabulary.
    """
    lowered = tf.strings.lower(texts, encoding="utf-8")
    words = tf.strings.split(tf.strings.regex_replace(lowered, _NOT_WORD, " "))
    asset = tft.vocabulary(
        words.to_sparse(),
        top_k=settings.token_vocabulary_size,
        frequency_threshold=settings.min_count,
        vocab_filename=TOKEN_VOCABULARY,
        name=TOKEN_VOCABULARY,
    )
    padded = words.to_tensor("", shape=[None, feature.length])
    ids = tft.apply_vocabulary(padded, asset, default_value=-1)
    ids = tf.where(ids < 0, tf.ones_like(ids), ids + _NUM_SPECIAL)
    return tf.where(tf.equal(padded, ""), tf.zeros_like(ids), ids)


def scaled_series(inputs: dict[str, Any], features: tuple[Feature, ...]) -> tf.Tensor:
    """The first values of each series, as z-scores; what is missing is the mean.

    Args:
        inputs: raw column name to a SparseTensor or dense tensor [batch, any length].
        features: the series, which have one length.

    Returns:
        float32 [batch, length, channels], one channel a series; 0 is padding.
    """
    length = features[0].length
    values = tf.stack([_first(inputs[f.name], length) for f in features], axis=2)
    values = tf.where(tf.math.is_finite(values), values, _MISSING)
    # A column has one mean and one deviation, over all rows and steps. In double precision, so that
    # the order in which Beam adds batches up does not show.
    steps = tf.reshape(values, [-1, len(features)])
    scores = tf.reshape(tft.scale_to_z_score(steps, elementwise=True), tf.shape(values))
    scores = tf.where(tf.math.is_nan(scores), tf.zeros_like(scores), scores)
    scores = tf.cast(tf.clip_by_value(scores, -_MAX_Z_SCORE, _MAX_Z_SCORE), tf.float32)
    return tf.ensure_shape(scores, [None, length, len(features)])


def _first(column: Any, length: int) -> tf.Tensor:
    """The first values of each row as float64 [batch, length], NaN where there are fewer."""
    if not isinstance(column, tf.SparseTensor):
        values = tf.cast(column, tf.float64)[:, :length]
        gap = length - tf.shape(values)[1]
        return tf.pad(values, [[0, 0], [0, gap]], constant_values=_MISSING)
    kept = tf.sparse.retain(column, column.indices[:, 1] < length)
    values = tf.cast(kept.values, tf.float64)
    rows = tf.SparseTensor(kept.indices, values, [column.dense_shape[0], length])
    return tf.sparse.to_dense(rows, tf.constant(_MISSING, tf.float64))

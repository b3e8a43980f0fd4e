"""Numbers in the transform graph: scaled, imputed, and cut into quantile buckets.

Columns of one treatment share an analyzer: a pass over the data costs by the analyzer. Sums are in
double precision, so that the order in which Beam adds batches up does not show: a column such as a
latitude, whose values are alike, would differ from run to run in the third digit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf
import tensorflow_transform as tft

from components.features import Feature

# Heavy tails (fares, distances) keep their order through the buckets, which need not be exact.
_EPSILON = 0.01
_NO_WEIGHT = 1e-9


def scaled_numbers(values: tf.Tensor, features: tuple[Feature, ...]) -> tf.Tensor:
    """Scales the columns and imputes what is missing.

    Args:
        values: float32 [batch, columns], NaN where a value is missing.
        features: the columns, in order.

    Returns:
        float32 [batch, columns + flags]: the scaled values, then 1 or 0, whether it is missing, for
        every column without buckets (those have an id for it).
    """
    missing = tf.math.is_nan(values)
    numbers = _logarithms(tf.cast(values, tf.float64), features)
    columns: dict[int, tf.Tensor] = {}
    for is_standard, treat in ((True, _standard), (False, _by_statistics)):
        members = [i for i, f in enumerate(features) if _is_standard(f) == is_standard]
        if members:
            found = treat(tf.gather(numbers, members, axis=1), [features[i] for i in members])
            columns.update({index: found[:, at] for at, index in enumerate(members)})
    scaled = tf.stack([columns[index] for index in range(len(features))], axis=1)
    # One wild number must not dominate a batch.
    clips = tf.constant([f.clip or tf.float32.max for f in features], tf.float64)
    scaled = tf.cast(tf.clip_by_value(scaled, -clips, clips), tf.float32)
    flagged = [index for index, feature in enumerate(features) if not feature.buckets]
    if not flagged:
        return scaled
    return tf.concat([scaled, tf.cast(tf.gather(missing, flagged, axis=1), tf.float32)], axis=1)


def bucket_numbers(values: tf.Tensor, features: tuple[Feature, ...]) -> dict[str, tf.Tensor]:
    """The quantile bucket of each column that asks for buckets.

    Args:
        values: float32 [batch, columns], NaN where a value is missing.
        features: the columns, in order.

    Returns:
        By the name of the column, int64 [batch]: 0 is missing, then the buckets in order.
    """
    columns: dict[str, tf.Tensor] = {}
    for count in sorted({feature.buckets for feature in features if feature.buckets}):
        members = [index for index, feature in enumerate(features) if feature.buckets == count]
        group = tf.gather(values, members, axis=1)
        boundaries = _quantiles(group, count)
        found = tf.searchsorted(boundaries, tf.transpose(group), side="right", out_type=tf.int64)
        found = tf.where(tf.transpose(tf.math.is_nan(group)), tf.zeros_like(found), found + 1)
        columns.update({features[index].name: found[row] for row, index in enumerate(members)})
    return columns


def _quantiles(values: tf.Tensor, count: int) -> tf.Tensor:
    """The bounds of `count` equally full buckets of each column: float32 [columns, count - 1].

    The analyzer fails on a column without any value, so each row is followed by one of zeros that
    weighs nothing: not one a batch, for the bounds would depend on how Beam makes batches.
    """
    num = values.shape[1]
    rows = tf.reshape(tf.stack([values, tf.zeros_like(values)], axis=1), [-1, num])
    weights = tf.tile([1.0, _NO_WEIGHT], tf.shape(values)[:1])
    found = tft.quantiles(rows, count, _EPSILON, weights=weights, reduce_instance_dims=False)
    return tf.ensure_shape(found, [num, count - 1])


def _logarithms(numbers: tf.Tensor, features: tuple[Feature, ...]) -> tf.Tensor:
    """The numbers, those of columns scaled by `log` as `sign(x) * log1p(|x|)`."""
    wanted = [feature.scale == "log" for feature in features]
    if not any(wanted):
        return numbers
    return tf.where(tf.constant(wanted), _logarithm(numbers), numbers)


def _logarithm(numbers: tf.Tensor) -> tf.Tensor:
    return tf.sign(numbers) * tf.math.log1p(tf.abs(numbers))


def _is_standard(feature: Feature) -> bool:
    """Whether a column is a z-score whose missing values are the mean: one analyzer, for all."""
    return feature.scale in ("zscore", "log") and feature.missing == "mean"


def _standard(numbers: tf.Tensor, features: Sequence[Feature]) -> tf.Tensor:
    scores = tft.scale_to_z_score(numbers, elementwise=True)
    return tf.where(tf.math.is_nan(scores), tf.zeros_like(scores), scores)


def _by_statistics(numbers: tf.Tensor, features: Sequence[Feature]) -> tf.Tensor:
    """Imputes, then scales."""
    known = tf.where(tf.math.is_finite(numbers), numbers, tf.constant(float("nan"), tf.float64))
    found = _statistics(known, features)
    scales = [feature.scale for feature in features]
    center = _choose(scales, {"minmax": found.low, "none": tf.zeros_like(found.mean)}, found.mean)
    width = _choose(
        scales,
        {"minmax": found.high - found.low, "none": tf.ones_like(found.mean)},
        found.deviation,
    )
    said = [0.0 if isinstance(f.missing, str) else f.missing for f in features]
    fixed = _logarithms(tf.constant([said], tf.float64), tuple(features))[0]
    fill = _choose(
        [f.missing for f in features], {"mean": found.mean, "median": found.median}, fixed
    )
    filled = tf.where(tf.math.is_nan(numbers), fill, numbers)
    return (filled - center) / tf.where(width > 0, width, tf.ones_like(width))


class _Statistics(NamedTuple):
    """What is known of columns, each float64 [columns]; 0 where no column needs it."""

    mean: tf.Tensor
    deviation: tf.Tensor
    median: tf.Tensor
    low: tf.Tensor
    high: tf.Tensor


def _statistics(known: tf.Tensor, features: Sequence[Feature]) -> _Statistics:
    """No more analyzers than the columns need; `known` is NaN where a value is not finite."""
    num = len(features)
    scales, fills = {f.scale for f in features}, {f.missing for f in features}
    is_scored = bool(scales & {"zscore", "log"})
    mean = deviation = median = low = high = tf.zeros([num], tf.float64)
    if is_scored or "mean" in fills:
        mean = _finite(tft.mean(known, reduce_instance_dims=False), num)
    if is_scored:
        deviation = tf.sqrt(_finite(tft.var(known, reduce_instance_dims=False), num))
    if "median" in fills:
        middle = _quantiles(tf.cast(known, tf.float32), 2)[:, 0]
        median = _finite(tf.cast(middle, tf.float64), num)
    if "minmax" in scales:
        # One analyzer for both ends.
        least = tf.constant(-float("inf"), tf.float64)
        both = tf.concat([known, -known], axis=1)
        ends = tft.max(tf.where(tf.math.is_nan(both), least, both), reduce_instance_dims=False)
        ends = _finite(ends, 2 * num)
        high, low = ends[:num], -ends[num:]
    return _Statistics(mean, deviation, median, low, high)


def _choose(
    names: Sequence[object], tensors: Mapping[str, tf.Tensor], default: tf.Tensor
) -> tf.Tensor:
    """For each column that of the tensors [columns] which its name says."""
    chosen = default
    for name, tensor in tensors.items():
        chosen = tf.where(tf.constant([name == other for other in names]), tensor, chosen)
    return chosen


def _finite(values: tf.Tensor, num: int) -> tf.Tensor:
    """0 for a column without any value."""
    values = tf.ensure_shape(values, [num])
    return tf.where(tf.math.is_finite(values), values, tf.zeros_like(values))

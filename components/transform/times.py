"""Timestamps in the transform graph: what of a point in time returns."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from components.features import Feature, TimeUnit
from components.transform.inputs import as_float, as_text

_DAY_S = 86_400.0
# The day, the week and the mean year of the Gregorian calendar: the day of the year is exact to
# within a day. 1970 began on a Thursday, so that a week here begins on one too.
_PERIODS_S = (_DAY_S, 7 * _DAY_S, 365.2425 * _DAY_S)
_SECONDS: dict[TimeUnit, float] = {"days": _DAY_S, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
# The start of ISO 8601; parts that are not there are 0.
_DATE = r"^\s*(\d{4})-(\d\d)-(\d\d)"
_TIME = r"(?:[T ](\d\d):(\d\d)(?::(\d\d))?)?"
# A fraction of a second, and an offset, which is not applied: the hour that is written is the one
# that returns.
_REST = r"(?:[.,]\d*)?\s*(?:Z|z|UTC|[+-]\d\d:?(?:\d\d)?)?\s*$"
_ISO = _DATE + _TIME + _REST


def time_parts(column: Any, feature: Feature) -> tf.Tensor:
    """The time of the day, of the week and of the year as points on circles.

    Args:
        column: numbers since 1970 in the feature's unit, or text in ISO 8601, such as `2014-05-01`
            or `2014-05-01 17:30:00`.
        feature: says the unit.

    Returns:
        float32 [batch, 7]: sine and cosine of each of the three, and whether the point in time is
        missing; then, and where a text is no date, the others are 0.
    """
    if column.dtype == tf.string:
        seconds = _iso_seconds(as_text(column))
    else:
        seconds = as_float(column, tf.float64) * _SECONDS[feature.unit]
    known = tf.math.is_finite(seconds)
    seconds = tf.where(known, seconds, tf.zeros_like(seconds))
    parts = []
    for period in _PERIODS_S:
        angle = 2 * math.pi * tf.math.floormod(seconds, period) / period
        parts += [tf.sin(angle), tf.cos(angle)]
    parts = [tf.where(known, part, tf.zeros_like(part)) for part in parts]
    return tf.cast(tf.stack([*parts, tf.cast(~known, tf.float64)], axis=1), tf.float32)


def _iso_seconds(texts: tf.Tensor) -> tf.Tensor:
    """Seconds since 1970 as float64 [batch], NaN where a text is no date."""
    known = tf.strings.regex_full_match(texts, _ISO)
    # What is no date must not get as far as the numbers.
    texts = tf.where(known, texts, tf.constant("1970-01-01"))
    year, month, day, hour, minute, second = (_part(texts, number) for number in range(1, 7))
    days = _days(year, month, day)
    seconds = tf.cast(((days * 24 + hour) * 60 + minute) * 60 + second, tf.float64)
    valid = known & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31) & (hour <= 24)
    return tf.where(valid, seconds, tf.constant(float("nan"), tf.float64))


def _part(texts: tf.Tensor, number: int) -> tf.Tensor:
    digits = tf.strings.regex_replace(texts, _ISO, rf"0\{number}")
    return tf.strings.to_number(digits, tf.int64)


def _days(year: tf.Tensor, month: tf.Tensor, day: tf.Tensor) -> tf.Tensor:
    """Days from 1970-01-01 to a date of the Gregorian calendar, int64 [batch].

    The year is counted from March, so that the leap day is its last one.
    """
    is_early = tf.cast(month <= 2, tf.int64)
    year, month = year - is_early, month + 12 * is_early
    leap_days = year // 4 - year // 100 + year // 400
    return 365 * year + leap_days + (153 * month - 457) // 5 + day - 719_469

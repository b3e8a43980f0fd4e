"""The parts of a point in time, computed without an analysis."""

from __future__ import annotations

import datetime
import math
from typing import Any

import numpy as np
import pytest

from components.features import Feature, TimeUnit

SECONDS = [0, 1_398_965_400, -1, 951_782_400, 4_102_444_799]  # 2014-05-01 17:30, …, a leap day


def parts(values: list[Any], dtype: Any = None, unit: TimeUnit = "s") -> np.ndarray:
    import tensorflow as tf

    from components.transform.times import time_parts

    kind = {str: "bytes", int: "int", float: "float"}[type(values[0])]
    column = tf.constant(values, dtype)
    found = time_parts(column, Feature(name="t", kind="timestamp", dtype=kind, unit=unit))
    assert found.dtype == tf.float32
    return found.numpy()


def angles(found: np.ndarray) -> np.ndarray:
    """The share of the day, the week and the year that has gone by: [rows, 3]."""
    sines, cosines = found[:, 0:6:2], found[:, 1:6:2]
    np.testing.assert_allclose(sines**2 + cosines**2, 1, atol=1e-6)
    return np.arctan2(sines, cosines) / (2 * math.pi) % 1


def test_the_parts_are_those_of_the_calendar() -> None:
    found = parts(SECONDS)
    assert found.shape == (len(SECONDS), 7)
    assert not found[:, 6].any()
    for row, seconds in zip(angles(found), SECONDS, strict=True):
        when = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
        day = (when.hour * 3600 + when.minute * 60 + when.second) / 86_400
        weekday = (when.weekday() - 3 + day) / 7 % 1  # 1970 began on a Thursday.
        year = (when.timetuple().tm_yday - 1 + day) / 365.25
        assert distance(row[0], day) < 1e-5
        assert distance(row[1], weekday) < 1e-5
        assert distance(row[2], year) < 1.5 / 365, "to within a day and a half"


def distance(first: float, second: float) -> float:
    gap = abs(first - second) % 1
    return min(gap, 1 - gap)


@pytest.mark.parametrize(
    ("unit", "factor"), [("days", 1 / 86_400), ("ms", 1e3), ("us", 1e6), ("ns", 1e9)]
)
def test_units_say_the_same(unit: TimeUnit, factor: float) -> None:
    import tensorflow as tf

    days = [0, 16_191 * 86_400, -86_400]
    found = parts([round(second * factor) for second in days], tf.int64, unit)
    np.testing.assert_allclose(found, parts(days), atol=1e-6)


def test_text_says_the_same_as_seconds() -> None:
    texts = [
        "1970-01-01",
        "2014-05-01 17:30:00",
        "1969-12-31T23:59:59Z",
        " 2000-02-29T00:00 ",
        "2099-12-31T23:59:59.75",
    ]
    np.testing.assert_allclose(parts(texts), parts(SECONDS), atol=1e-5)


def test_every_day_of_four_centuries_has_its_number() -> None:
    first = datetime.date(1900, 1, 1)
    days = [first + datetime.timedelta(days=number) for number in range(0, 146_097, 13)]
    epoch = datetime.date(1970, 1, 1)
    numbers = [(day - epoch).days for day in days]
    np.testing.assert_allclose(
        parts([day.isoformat() for day in days]), parts(numbers, unit="days"), atol=1e-5
    )


def test_an_offset_is_not_applied() -> None:
    found = parts(["2014-05-01T17:30:00+02:00", "2014-05-01 17:30:00-0700", "2014-05-01T17:30"])
    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()


@pytest.mark.parametrize(
    "value",
    [
        *("", "yesterday", "2014-13-01", "2014-00-01", "2014-05-99", "14-5-1", "2014-05-01x"),
        *("2014-05-01 99:00", "\u0662014-05-01", float("nan"), float("inf")),
    ],
)
def test_what_is_no_point_in_time_is_missing(value: Any) -> None:
    assert parts([value]).tolist() == [[0, 0, 0, 0, 0, 0, 1]]


@pytest.mark.parametrize("value", [1e30, -1e30, 2**63 - 1, -(2**63) + 1])
def test_wild_numbers_are_still_on_the_circles(value: Any) -> None:
    import tensorflow as tf

    angles(parts([value], tf.int64 if isinstance(value, int) else tf.float32))


def test_a_missing_value_of_a_sparse_column_is_missing() -> None:
    import tensorflow as tf

    from components.transform.times import time_parts

    feature = Feature(name="t", kind="timestamp", dtype="int")
    column = tf.SparseTensor([[1, 0]], tf.constant([0], tf.int64), [2, 1])
    assert time_parts(column, feature).numpy()[:, 6].tolist() == [1, 0]

"""Histograms of several splits are laid over each other without inventing differences."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.report.columns import split_of
from pipeline.report.distribution import (
    bin_numbers,
    percent,
    precise,
    rank_values,
    short,
)
from tests.unit.pipeline.report_cases import numbers, split


def binned(**values):
    columns = {
        key: split(len(found), numbers("x", found)).columns["x"].cumulative
        for key, found in values.items()
    }
    return bin_numbers(columns)


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).integers(0, 24, 5000),
        np.random.default_rng(0).integers(0, 2, 5000),
        np.minimum(np.random.default_rng(0).poisson(3, 5000), 9),
    ],
    ids=["hours", "flags", "counts"],
)
def test_few_integers_get_a_bin_each_near_their_true_share(values: np.ndarray) -> None:
    found = binned(train=values)
    true = [(values == value).mean() for value in range(values.min(), values.max() + 1)]
    assert [found.name(index) for index in range(len(true))] == [
        str(value) for value in range(values.min(), values.max() + 1)
    ]
    assert sum(abs(a - b) for a, b in zip(true, found.shares["train"], strict=True)) / 2 < 0.06


def test_decimals_keep_their_mass_and_shape() -> None:
    values = np.random.default_rng(0).normal(5, 2, 20_000)
    found = binned(train=values)
    true = np.histogram(values, found.edges)[0] / len(values)
    assert sum(found.shares["train"]) + sum(found.outside["train"]) == pytest.approx(1)
    assert np.abs(true - found.shares["train"]).sum() / 2 < 0.06


@pytest.mark.parametrize("far", [1e6, -1e6])
def test_far_values_do_not_squeeze_the_others_into_one_bin(far: float) -> None:
    values = np.append(np.random.default_rng(0).uniform(0, 10, 9_950), [far] * 50)
    found = binned(train=values)
    assert -40 < found.edges[0] < found.edges[-1] < 40
    assert sum(found.outside["train"]) > 0.004
    assert sum(share > 0.02 for share in found.shares["train"]) > 6
    assert sum(found.shares["train"]) + sum(found.outside["train"]) == pytest.approx(1)


def test_a_value_that_many_rows_have_is_one_bin() -> None:
    values = np.append(np.zeros(7_000), np.random.default_rng(0).uniform(1, 9, 3_000))
    assert binned(train=values).shares["train"][0] == pytest.approx(0.7, abs=0.02)


def test_the_distance_is_0_for_the_same_and_1_for_nothing_in_common() -> None:
    low, high = np.linspace(0, 1, 500), np.linspace(5, 6, 500)
    found = binned(train=low, same=low, other=high)
    assert found.distance("train", "same") == 0
    assert found.distance("train", "other") == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("value", [0, 7, 3.25, -1e12, 1e300])
def test_a_constant_has_bins(value: float) -> None:
    found = binned(train=[value] * 20)
    assert sum(found.shares["train"]) == pytest.approx(1)
    assert all(a < b for a, b in zip(found.edges, found.edges[1:], strict=False))


def test_infinite_and_missing_numbers_leave_the_rest_readable() -> None:
    from tensorflow_metadata.proto.v0 import statistics_pb2

    feature = numbers("x", np.linspace(0, 1, 100))
    for histogram in feature.num_stats.histograms:
        histogram.buckets[0].low_value = -math.inf
        histogram.buckets[-1].high_value = math.inf
        histogram.num_nan = 4
    feature.num_stats.max = math.inf
    statistics = statistics_pb2.DatasetFeatureStatisticsList()
    statistics.datasets.add(num_examples=104, features=[feature])
    column = split_of(statistics).columns["x"]
    assert column.num_nan == 4
    assert column.cumulative is not None
    found = bin_numbers({"train": column.cumulative})
    assert all(map(math.isfinite, found.edges))
    assert sum(found.shares["train"]) + sum(found.outside["train"]) == pytest.approx(1)


def test_values_that_only_another_split_has_are_shown() -> None:
    many = {f"v{n}": 10.0 for n in range(50)}
    found = rank_values({"train": (many, 500), "eval": ({**many, "new": 500.0}, 1000)})
    assert found.values[0] == "new"
    assert found.shares["train"][0] == 0
    assert not found.is_whole
    assert sum(found.shares["eval"]) + found.rest["eval"] == pytest.approx(1)
    assert found.distance("train", "eval") == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (1, "100 %"), (0.0004, "< 0.1 %"), (0.9999, "> 99.9 %"), (0.339, "33.9 %")],
)
def test_a_share_never_rounds_to_nothing_or_all(share: float, text: str) -> None:
    assert percent(share) == text


def test_numbers_are_short() -> None:
    assert [short(x) for x in (None, 3.0, 17031344077.07, 330236.39, 0.038171, math.inf)] == [
        "", "3", "17,031,344,077", "330,236", "0.03817", "inf",
    ]  # fmt: skip
    assert precise(41.69, 0.01) == "41.69"
    assert precise(-1e-30, 1e-31) == "-1e-30"

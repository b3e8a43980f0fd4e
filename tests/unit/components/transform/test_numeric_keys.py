"""How numbers are scaled and what a missing one becomes, analyzed by real Beam."""

from __future__ import annotations

import numpy as np
import pytest

from components.features import CATEGORICAL, NUMERIC, DataSpec, Feature, Label
from tests.unit.components.transform.analysis import Apply, Rows, analyze

RNG = np.random.default_rng(7)
VALUES = np.round(RNG.lognormal(2, 1.5, 61) * np.where(RNG.random(61) < 0.2, -1, 1), 3)


def number(name: str, **keys: object) -> Feature:
    return Feature.model_validate({"name": name, "kind": "numeric", "dtype": "float", **keys})


FEATURES = (
    number("zscore"),
    number("minmax", scale="minmax"),
    number("log", scale="log"),
    number("none", scale="none", clip=0),
    number("median", missing="median"),
    number("fixed", missing=2.5),
    number("log_fixed", scale="log", missing=2.5, buckets=4),
    number("log_median", scale="log", missing="median"),
    number("none_clipped", scale="none", clip=3, missing=-1),
    number("minmax_mean", scale="minmax", missing="mean", clip=0),
    number("tight", clip=0.5),
    number("whole", dtype="int", scale="log"),
    number("empty", missing="median", scale="minmax"),
    number("constant", scale="minmax"),
)
SPEC = DataSpec(
    features=FEATURES,
    label=Label(column="y", dtype="int", problem="binary", classes=("0", "1")),
)


def value_of(name: str, value: float) -> float | int | None:
    special = {"whole": int(value), "empty": None, "constant": 7.0}
    return special.get(name, value)


TRAIN: Rows = [
    {"y": index % 2} | {f.name: value_of(f.name, value) for f in FEATURES}
    for index, value in enumerate(VALUES)
]
TRAIN += [{"y": 0}] * 9
# What is not finite takes no part in a statistic.
TRAIN += [{"y": 1, "zscore": float("inf"), "minmax": float("inf"), "median": float("-inf")}]


@pytest.fixture(scope="module")
def apply(tmp_path_factory: pytest.TempPathFactory) -> Apply:
    return analyze(SPEC, TRAIN, tmp_path_factory.mktemp("numbers"))


def column(apply: Apply, name: str, values: list[float | None]) -> np.ndarray:
    found = apply([{} if value is None else {name: value} for value in values])[NUMERIC]
    return found[:, [f.name for f in FEATURES].index(name)]


def logarithm(values: np.ndarray) -> np.ndarray:
    return np.sign(values) * np.log1p(np.abs(values))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("zscore", (VALUES - VALUES.mean()) / VALUES.std()),
        ("median", (VALUES - VALUES.mean()) / VALUES.std()),
        ("log", (logarithm(VALUES) - logarithm(VALUES).mean()) / logarithm(VALUES).std()),
        ("log_median", (logarithm(VALUES) - logarithm(VALUES).mean()) / logarithm(VALUES).std()),
        ("minmax", (VALUES - VALUES.min()) / np.ptp(VALUES)),
        ("none", VALUES),
        ("none_clipped", VALUES.clip(-3, 3)),
        ("tight", ((VALUES - VALUES.mean()) / VALUES.std()).clip(-0.5, 0.5)),
    ],
)
def test_numbers_are_scaled_as_it_is_said(apply: Apply, name: str, expected: np.ndarray) -> None:
    np.testing.assert_allclose(column(apply, name, list(VALUES)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "stands_for"),
    [
        ("zscore", VALUES.mean()),
        ("minmax", VALUES.mean()),
        ("minmax_mean", VALUES.mean()),
        ("none", VALUES.mean()),
        ("fixed", 2.5),
        ("log_fixed", 2.5),
        ("none_clipped", -1.0),
    ],
)
def test_a_missing_number_is_what_it_is_said_to_be(
    apply: Apply, name: str, stands_for: float
) -> None:
    missing, present = column(apply, name, [None, stands_for])
    assert missing == pytest.approx(present, abs=1e-5)


@pytest.mark.parametrize("name", ["median", "log_median"])
def test_the_median_is_that_of_the_values_there_are(apply: Apply, name: str) -> None:
    below, missing, above = column(
        apply, name, [np.quantile(VALUES, 0.47), None, np.quantile(VALUES, 0.53)]
    )
    assert below <= missing <= above


def test_the_mean_of_logarithms_stands_for_a_missing_one(apply: Apply) -> None:
    assert column(apply, "log", [None]).tolist() == [0]


def test_every_column_without_buckets_has_a_flag(apply: Apply) -> None:
    found = apply([{}, {f.name: 3 if f.dtype == "int" else 3.0 for f in FEATURES}])
    flags = found[NUMERIC][:, len(FEATURES) :]
    assert flags.shape == (2, len(FEATURES) - 1)
    assert flags[0].all()
    assert not flags[1].any()
    assert found[CATEGORICAL].shape == (2, 1)


@pytest.mark.parametrize("value", [1e30, -1e30, 3e38, float("inf"), float("-inf")])
def test_extreme_numbers_are_finite_and_clipped(apply: Apply, value: float) -> None:
    row = {f.name: value for f in FEATURES if f.dtype == "float"}
    found = apply([row])[NUMERIC][0]
    assert np.isfinite(found).all()
    for index, feature in enumerate(FEATURES):
        if feature.clip:
            assert abs(found[index]) <= feature.clip


def test_a_column_without_values_or_with_one_is_harmless(apply: Apply) -> None:
    assert column(apply, "empty", [None, 4.0]).tolist() == [0, 4]
    assert column(apply, "constant", [7.0, None, 8.0]).tolist() == [0, 0, 1]

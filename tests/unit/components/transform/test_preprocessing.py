"""The transform graph, analyzed by real Beam over a handful of rows."""

from __future__ import annotations

import numpy as np
import pytest

from components.features import CATEGORICAL, LABEL, NUMERIC, DataSpec, Feature, Label, num_ids
from tests.unit.components.transform.analysis import Apply, Rows, analyze

SPEC = DataSpec(
    features=(
        Feature(name="miles", kind="numeric", dtype="float", buckets=4),
        Feature(name="seats", kind="numeric", dtype="int"),
        Feature(name="town", kind="categorical", dtype="bytes"),
        Feature(name="hour", kind="categorical", dtype="int"),
    ),
    label=Label(column="kind", dtype="bytes", problem="multiclass", classes=("a", "b", "c")),
)
TRAIN: Rows = [
    {
        "miles": float(index),
        "seats": index % 3 + 1,
        "town": "Rome" if index % 2 else "Oslo",
        "hour": index % 4,
        "kind": "abc"[index % 3],
    }
    for index in range(40)
] + [{"miles": 5.0, "seats": 2, "town": "Once", "hour": 1, "kind": "a"}]


@pytest.fixture(scope="module")
def apply(tmp_path_factory: pytest.TempPathFactory) -> Apply:
    return analyze(SPEC, TRAIN, tmp_path_factory.mktemp("transform"))


def test_numbers_are_scaled_to_mean_zero_and_deviation_one(apply: Apply) -> None:
    miles = apply(TRAIN)[NUMERIC][:, 0]
    assert miles.mean() == pytest.approx(0, abs=1e-5)
    assert miles.std() == pytest.approx(1, abs=1e-5)


def test_a_missing_number_is_the_mean_and_is_flagged(apply: Apply) -> None:
    found = apply([{"town": "Rome"}, {"seats": 1}])[NUMERIC]
    # miles has buckets, whose first id says missing; seats has none, so a flag follows.
    np.testing.assert_array_equal(found[0], [0, 0, 1])
    assert found[1][2] == 0


def test_an_extreme_number_is_clipped(apply: Apply) -> None:
    found = apply([{"miles": 1e30, "seats": 1}])[NUMERIC]
    assert np.isfinite(found).all()
    assert found[0][0] == 10


def test_ids_of_columns_never_overlap_and_stay_in_the_table(apply: Apply) -> None:
    odd: Rows = [{}, {"town": "Atlantis", "hour": -7, "miles": -1e9, "seats": 10**12}]
    found = apply(TRAIN + odd)[CATEGORICAL]
    seen = [set(found[:, slot]) for slot in range(found.shape[1])]
    assert len(set.union(*seen)) == sum(len(ids) for ids in seen)
    size = apply.output.vocabulary_size_by_name("vocabulary")  # type: ignore[attr-defined]
    assert found.min() >= 0
    assert found.max() < num_ids(SPEC, size)


def test_the_last_id_of_the_table_is_the_last_bucket(apply: Apply) -> None:
    found = apply([{"miles": 1e9}])[CATEGORICAL]
    assert found[0][-1] == num_ids(SPEC, apply.output.vocabulary_size_by_name("vocabulary")) - 1  # type: ignore[attr-defined]


def test_unseen_values_share_the_id_that_rare_values_trained(apply: Apply) -> None:
    found = apply([{"town": "Atlantis"}, {"town": "Once"}, {"town": "Rome"}])[CATEGORICAL][:, 0]
    assert found[0] == found[1] != found[2]


def test_an_unseen_value_of_one_column_differs_from_that_of_another(apply: Apply) -> None:
    found = apply([{"town": "Atlantis", "hour": 99}])[CATEGORICAL]
    assert found[0][0] != found[0][1]


def test_buckets_are_ordered_and_start_after_the_missing_id(apply: Apply) -> None:
    found = apply([{}, {"miles": -5.0}, {"miles": 15.0}, {"miles": 99.0}])[CATEGORICAL][:, -1]
    assert list(np.diff(found) > 0) == [True, True, True]


def test_class_labels_are_their_index(apply: Apply) -> None:
    assert apply([{"kind": name} for name in "cab"])[LABEL].tolist() == [2, 0, 1]


def test_an_unknown_or_missing_class_is_minus_one(apply: Apply) -> None:
    assert apply([{"kind": "z"}, {}])[LABEL].tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("tips", "fare", "expected"),
    [(2.1, 10.0, 1), (2.0, 10.0, 0), (5.0, 0.0, 0), (5.0, None, 0), (None, 10.0, 0)],
)
def test_a_ratio_label_needs_a_positive_denominator(
    tips: float | None, fare: float | None, expected: int
) -> None:
    import tensorflow as tf

    from components.transform.preprocessing import make_label

    label = Label(
        column="tips",
        dtype="float",
        problem="binary",
        classes=("small", "big"),
        ratio_to="fare",
        above=0.2,
    )

    def column(value: float | None) -> tf.SparseTensor:
        count = 0 if value is None else 1
        return tf.SparseTensor(
            np.zeros([count, 2], np.int64), [value][:count] if count else np.zeros(0, "f4"), [1, 1]
        )

    made = make_label({"tips": column(tips), "fare": column(fare)}, label)
    assert made.numpy().tolist() == [expected]


@pytest.mark.parametrize(("dtype", "classes"), [("int", ("3", "10")), ("float", ("3.0", "10.0"))])
def test_number_classes_are_matched_by_value(dtype: str, classes: tuple[str, ...]) -> None:
    import tensorflow as tf

    from components.transform.preprocessing import make_label

    label = Label(column="y", dtype=dtype, problem="binary", classes=classes)  # type: ignore[arg-type]
    values = tf.constant([10, 3, 3], tf.int64 if dtype == "int" else tf.float32)
    assert make_label({"y": values}, label).numpy().tolist() == [1, 0, 0]

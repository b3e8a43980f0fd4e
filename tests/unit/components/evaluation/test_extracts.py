"""Batches become rows, whatever order they come in and whatever is missing in them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from components.evaluation.extracts import to_scores, to_table
from components.evaluation.scores import Scores
from components.evaluation.slicing import slices_of


class Sparse(NamedTuple):
    """As TFMA gives a column whose rows have any number of values."""

    values: np.ndarray
    indices: np.ndarray


def batch(labels: list[float], answers: list[float], **columns: Any) -> pa.Table:
    extracts = {
        "labels": np.array(labels),
        "predictions": {"probability": np.array(answers, np.float32)[:, np.newaxis]},
        "features": columns,
    }
    return to_table(
        extracts,
        models=["candidate"],
        prediction_key="probability",
        classes=("no", "yes"),
        columns=["town", "hour"],
    )


def scores(*tables: pa.Table, is_regression: bool = False) -> Scores:
    return to_scores(
        pa.concat_tables(tables),
        is_regression=is_regression,
        is_weighted=False,
        columns=["town", "hour"],
    )


def town(*pairs: tuple[int, bytes]) -> Sparse:
    return Sparse(
        np.array([value for _, value in pairs], object),
        np.array([[row, 0] for row, _ in pairs], np.int64).reshape(-1, 2),
    )


HOURS = np.array([[1], [2], [1]])


def test_a_row_without_a_value_is_in_no_slice() -> None:
    found = scores(batch([0, 1, 1], [0.1, 0.2, 0.3], town=town((0, b"A"), (2, b"B")), hour=HOURS))
    slices = {tuple(item.key.items()): len(item.index) for item in slices_of(found, [["town"]])}
    assert slices == {(): 3, (("town", "A"),): 1, (("town", "B"),): 1}
    crossed = [item.key for item in slices_of(found, [["town", "hour"]])][1:]
    assert crossed == [{"town": "A", "hour": "1"}, {"town": "B", "hour": "1"}]


def test_a_column_that_no_row_has_gives_no_slice() -> None:
    found = scores(batch([0, 1, 1], [0.1, 0.2, 0.3], hour=HOURS))
    assert [item.key for item in slices_of(found, [["town"]])] == [{}]


def test_values_that_are_no_text_are_shown_as_they_can_be() -> None:
    found = scores(batch([0], [0.1], town=town((0, b"\xff<script>")), hour=np.array([[0.5]])))
    assert found.columns["town"].values == ("\ufffd<script>",)
    assert found.columns["hour"].values == ("0.5",)


def test_the_order_of_the_batches_changes_nothing() -> None:
    first = batch([0, 1, 1], [0.1, 0.2, 0.3], town=town((0, b"A"), (1, b"B")), hour=HOURS)
    second = batch([1, 0, 0], [0.9, 0.8, 0.7], town=town((0, b"B"), (1, b"A")), hour=HOURS)
    one, other = scores(first, second), scores(second, first)
    for left, right in (
        (one.labels, other.labels),
        (one.predictions["candidate"], other.predictions["candidate"]),
    ):
        np.testing.assert_array_equal(left, right)
    assert [
        one.columns["town"].values[code] if code >= 0 else None
        for code in one.columns["town"].codes
    ] == [
        other.columns["town"].values[code] if code >= 0 else None
        for code in other.columns["town"].codes
    ]


@pytest.mark.parametrize(("is_regression", "unknown"), [(False, -1), (True, np.nan)])
def test_rows_without_a_known_label_are_left_out(is_regression: bool, unknown: float) -> None:
    found = scores(batch([0, unknown, 1], [0.1, 0.2, 0.3], hour=HOURS), is_regression=is_regression)
    assert found.labels.tolist() == [0, 1]
    assert found.predictions["candidate"] == pytest.approx([0.1, 0.3])


def test_other_classes_are_an_error_that_names_them() -> None:
    extracts = {
        "labels": {"candidate": np.array([1])},
        "predictions": {
            "candidate": {"probability": np.array([[0.1]])},
            "baseline": {"probability": np.array([[0.1]]), "classes": np.array([[b"no", b"si"]])},
        },
        "features": {},
    }
    with pytest.raises(ValueError, match=r"The baseline has the classes no, si"):
        to_table(
            extracts,
            models=["candidate", "baseline"],
            prediction_key="probability",
            classes=("no", "yes"),
            columns=[],
        )
    with pytest.raises(ValueError, match=r"no output 'scores'; it has: probability"):
        to_table(
            extracts,
            models=["candidate", "baseline"],
            prediction_key="scores",
            classes=("no", "yes"),
            columns=[],
        )


def test_of_many_values_the_largest_slices_are_kept() -> None:
    towns = [(row, f"{row % 150:03}".encode()) for row in range(300)] + [(300, b"big")] * 1
    table = batch([0] * 301, [0.5] * 301, town=town(*towns))
    found = [item for item in slices_of(scores(table), [["town"]])][1:]
    assert len(found) == 100
    assert {len(item.index) for item in found} == {2}

"""The judgement of answers, on plain values."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.serving_check.settings import ServingCheckSettings
from components.serving_check.verdict import (
    Answers,
    compare,
    compare_raw,
    not_finite,
    objections,
    percentile,
)
from tests.unit.components.serving_check.specs import make_data_spec

numbers = st.floats(-1e6, 1e6)


def make_answers(**changes: Any) -> Answers:
    values: dict[str, Any] = {
        "outputs": {
            "probability": [[0.25], [0.75]],
            "classes": [["no", "yes"]] * 2,
            "label": [["no"], ["yes"]],
        },
        "odd_outputs": {"the row without any value": {"probability": [[0.5]]}},
        "latencies_ms": [1.0, 2.0],
        "load_s": 0.5,
        "peak_bytes": 300 << 20,
    }
    values |= changes
    raw = {"raw_outputs": values["outputs"], "raw_odd_outputs": values["odd_outputs"]}
    return Answers(**{**raw, **values})


def judge(answers: Answers, **changes: Any) -> list[str]:
    settings = ServingCheckSettings(**changes)
    return objections(answers, [[0.25], [0.75]], data_spec=make_data_spec(), settings=settings)


@given(st.lists(st.lists(numbers, min_size=2, max_size=2)))
def test_equal_answers_have_no_differences(rows: list[list[float]]) -> None:
    assert compare(rows, rows, 1e-9) == []


@given(st.lists(numbers, min_size=1), st.data())
def test_one_wrong_answer_is_named_by_its_row(values: list[float], data: st.DataObject) -> None:
    row = data.draw(st.integers(0, len(values) - 1))
    served = [[value] for value in values]
    served[row] = [values[row] + 2 * max(1.0, abs(values[row]))]
    (sentence,) = compare([[value] for value in values], served, 1e-3)
    assert sentence.startswith(f"Row {row} of the eval split: the server answers scores = ")


def test_sentence_names_value_expectation_and_tolerance() -> None:
    assert compare([[0.1, 0.9]], [[0.1, 0.8]], 1e-5) == [
        "Row 0 of the eval split: the server answers scores[1] = 0.8, the pipeline computes 0.9; "
        "allowed is a difference of 1e-05."
    ]


@pytest.mark.parametrize(
    ("want", "got", "differs"),
    [
        (0.5, 0.5 + 1e-4, False),
        (0.5, 0.5 + 1e-2, True),
        (1e6, 1e6 + 100, False),
        (1e6, 1e6 + 10_000, True),
        (0.5, math.nan, True),
        (0.5, math.inf, True),
        (math.nan, math.nan, True),
        (math.inf, math.inf, False),
    ],
)
def test_tolerance_is_absolute_below_one_and_relative_above(
    want: float, got: float, differs: bool
) -> None:
    assert bool(compare([[want]], [[got]], 1e-3)) == differs


def test_worst_rows_come_first_and_the_rest_is_counted() -> None:
    sentences = compare([[0.0]] * 10, [[i / 10] for i in range(10)], 0.05)
    assert [sentence[:5] for sentence in sentences[:3]] == ["Row 9", "Row 8", "Row 7"]
    assert sentences[3:] == ["6 more differ as well."]


def test_another_number_of_rows_or_values_is_named() -> None:
    assert compare([[1.0]], [], 1) == ["Output 'scores' has 0 rows for 1 rows sent."]
    assert compare([[1.0]], [[1.0, 2.0]], 1) == ["Output 'scores' has 2 numbers a row, expected 1."]


def test_only_numbers_must_be_finite() -> None:
    assert not_finite({"label": [["nan"]], "scores": [[1.0]]}, "row {}") == []
    assert not_finite({"scores": [[1.0], [math.inf]]}, "row {}") == [
        "For row 1, the server answers scores = inf, which is no number."
    ]


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([], 99, 0.0), ([3.0], 50, 3.0), ([4.0, 1.0, 3.0, 2.0], 50, 2.0), ([2.0, 1.0], 99, 2.0)],
)
def test_percentile_is_one_of_the_values(
    values: list[float], percent: int, expected: float
) -> None:
    assert percentile(values, percent) == expected


def test_answers_as_expected_have_no_objections() -> None:
    assert judge(make_answers()) == []


def test_odd_row_without_a_finite_answer_is_named() -> None:
    odd = {"the row of unseen categories": {"probability": [[math.nan]]}}
    (objection,) = judge(make_answers(odd_outputs=odd))
    assert objection.startswith("For the row of unseen categories, the server answers probability")


def test_label_that_is_no_class_is_named() -> None:
    outputs = {**make_answers().outputs, "label": [["no"], ["maybe"]]}
    (objection,) = judge(make_answers(outputs=outputs))
    assert "predicts 'maybe', which is none of the label's 2 classes" in objection


def test_missing_class_is_named() -> None:
    outputs = {**make_answers().outputs, "classes": [["no"], ["no", "yes"]]}
    (objection,) = judge(make_answers(outputs=outputs))
    assert "Row 0" in objection
    assert "calls class 1 None, the label's class 1 is 'yes'" in objection


def test_raw_answer_that_differs_is_named_by_row_and_output() -> None:
    raw = {
        "probability": [[0.25], [0.5]],
        "classes": [["no", "yes"]] * 2,
        "label": [["no"], ["no"]],
    }
    assert judge(make_answers(raw_outputs=raw)) == [
        "For row 1 of the eval split, 'serving_raw' answers probability = 0.5, 'serving_default' "
        "0.75; they must not differ by more than 1e-05."
    ]


def test_raw_answer_to_an_odd_row_is_compared_too() -> None:
    odd = {"the row without any value": {"probability": [[0.6]]}}
    (sentence,) = judge(make_answers(raw_odd_outputs=odd))
    assert sentence.startswith("For the row without any value, 'serving_raw' answers ")


def test_raw_outputs_must_be_the_same_ones() -> None:
    (sentence,) = judge(make_answers(raw_outputs={"label": [["no"], ["yes"]]}))
    assert sentence.startswith("'serving_raw' answers label, 'serving_default' classes, label, ")


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_raw_answers_may_differ_by_the_tolerance(want: float, got: float) -> None:
    found = compare_raw({"x": [[want]]}, {"x": [[got]]}, "row {}", 0.5)
    assert bool(found) == (abs(want - got) / max(1, abs(want)) > 0.5)


@pytest.mark.parametrize(
    ("budgets", "expected"),
    [
        ({}, []),
        (
            {"latency_budget_ms": 50},
            ["99th percentile of single-row calls is 80.00 ms; the budget, latency_budget_ms, is"],
        ),
        ({"latency_budget_ms": 80, "latency_p50_budget_ms": 1}, []),
        (
            {"latency_p50_budget_ms": 0.5},
            ["median of single-row calls is 1.00 ms; the budget, latency_p50_budget_ms, is 0.5"],
        ),
        ({"memory_budget_mb": 300}, []),
        (
            {"memory_budget_mb": 299.5},
            ["took 300 MB of memory; the budget, memory_budget_mb, is 299.5 MB"],
        ),
        (
            {"latency_budget_ms": 1, "latency_p50_budget_ms": 0.1, "memory_budget_mb": 1},
            ["median", "99th percentile", "memory"],
        ),
    ],
)
def test_latency_and_memory_count_only_with_a_budget(
    budgets: dict[str, float], expected: list[str]
) -> None:
    found = judge(make_answers(latencies_ms=[1.0, 1.0, 80.0]), **budgets)
    assert len(found) == len(expected)
    for sentence, part in zip(found, expected, strict=True):
        assert part in sentence

"""Verdicts on estimates: what is met, what is missed, and what the rows do not settle."""

from __future__ import annotations

import math
from typing import Any

import pytest

from components.evaluation.catalogue import metrics_of
from components.evaluation.decide import Decision, decide
from components.evaluation.results import Estimate, SliceResult
from components.evaluation.settings import EvaluationSettings
from components.features import Label

LABEL = Label(column="y", dtype="bytes", problem="binary", classes=("no", "yes"))
NAN = math.nan


def found(
    value: float,
    error: float = 0.001,
    *,
    change: tuple[float, float] | None = None,
    metric: str = "auc",
    key: dict[str, str] | None = None,
    num_examples: int = 1000,
) -> SliceResult:
    before = None if change is None else {metric: Estimate(value - change[0], error)}
    return SliceResult(
        key=key or {},
        num_examples=num_examples,
        candidate={metric: Estimate(value, error)},
        baseline=before,
        change=None if change is None else {metric: Estimate(*change)},
    )


def decided(*slices: SliceResult, status: Any = "compared", **settings: Any) -> Decision:
    made = EvaluationSettings.model_validate({"slices": ["town"], **settings})
    return decide(
        slices, made, metrics_of(LABEL, made), status=status, status_reason="the baseline is gone"
    )


@pytest.mark.parametrize(
    ("value", "bound", "verdict", "blessed"),
    [
        (0.95, {"min": 0.9}, "met", True),
        (0.90, {"min": 0.9}, "met", True),
        (0.85, {"min": 0.9}, "missed", False),
        (0.25, {"max": 0.3}, "met", True),
        (0.35, {"max": 0.3}, "missed", False),
        (NAN, {"min": 0.0}, "missed", False),
        (NAN, {"max": 1.0}, "missed", False),
        (math.inf, {"max": 1.0}, "missed", False),
    ],
)
def test_a_value_is_held_against_its_bound(
    value: float, bound: dict[str, float], verdict: str, blessed: bool
) -> None:
    decision = decided(found(value), thresholds={"auc": bound})
    assert [row.verdict for row in decision.rows] == [verdict]
    assert decision.blessed is blessed
    assert ("auc on all examples: " in decision.reason) is not blessed


@pytest.mark.parametrize(
    ("policy", "value", "verdict", "blessed"),
    [
        ("point", 0.91, "met", True),
        ("point", 0.89, "missed", False),
        ("refuse", 0.91, "not shown", False),
        ("refuse", 0.95, "met", True),
        ("bless", 0.89, "not shown", True),
        ("bless", 0.80, "missed", False),
    ],
)
def test_an_interval_that_holds_the_bound_is_for_the_policy(
    policy: str, value: float, verdict: str, blessed: bool
) -> None:
    decision = decided(
        found(value, 0.015), thresholds={"auc": {"min": 0.9}}, not_shown={"value": policy}
    )
    assert [row.verdict for row in decision.rows] == [verdict]
    assert decision.blessed is blessed


@pytest.mark.parametrize(
    ("metric", "change", "verdict"),
    [
        ("auc", (-0.05, 0.001), "missed"),
        ("auc", (-0.005, 0.001), "met"),
        ("auc", (0.05, 0.001), "met"),
        ("auc", (-0.05, 0.04), "not shown"),
        ("log_loss", (0.05, 0.001), "missed"),
        ("log_loss", (-0.05, 0.001), "met"),
        ("log_loss", (0.005, 0.04), "not shown"),
        ("auc", (-0.05, NAN), "not shown"),
        ("auc", (NAN, NAN), "not judged"),
    ],
)
def test_a_loss_blocks_only_if_it_is_shown(
    metric: str, change: tuple[float, float], verdict: str
) -> None:
    decision = decided(
        found(0.9, change=change, metric=metric), thresholds={metric: {"max_loss": 0.01}}
    )
    assert [row.verdict for row in decision.rows] == [verdict]
    assert decision.blessed is (verdict != "missed")


def test_what_is_not_shown_is_said_of_a_blessed_model() -> None:
    decision = decided(found(0.9, change=(-0.05, 0.04)), thresholds={"auc": {"max_loss": 0.01}})
    assert decision.blessed
    assert decision.reason.startswith("no threshold was missed; for 1 of 1")
    [row] = decision.rows
    assert (row.low, row.high) == pytest.approx(
        (-0.05 - 1.96 * 0.04, -0.05 + 1.96 * 0.04), abs=1e-3
    )


def test_a_ratio_is_of_the_baselines_value() -> None:
    thresholds = {"log_loss": {"max_loss_ratio": 0.1}}
    worse = found(0.23, metric="log_loss", change=(0.03, 0.0001))
    decision = decided(worse, thresholds=thresholds)
    assert decision.rows[0].threshold == pytest.approx(0.02)
    assert not decision.blessed
    assert decided(
        found(0.21, metric="log_loss", change=(0.01, 0.0001)), thresholds=thresholds
    ).blessed


def test_a_metric_that_was_not_computed_is_refused() -> None:
    decision = decided(found(0.9, metric="accuracy"), thresholds={"auc": {"min": 0.1}})
    assert not decision.blessed


def test_many_slices_do_not_make_a_refusal_by_chance_more_likely() -> None:
    """A loss that one bound alone would show is not shown when it is the worst of forty."""
    thresholds = {"slice_thresholds": {"every": {"auc": {"max_loss": 0.0}}}}
    lost = found(0.9, change=(-0.022, 0.01), key={"town": "0"})
    others = [found(0.9, change=(0.0, 0.01), key={"town": str(at)}) for at in range(1, 40)]
    assert not decided(lost, **thresholds).blessed
    among = decided(lost, *others, **thresholds)
    assert among.blessed
    assert among.rows[0].verdict == "not shown"
    lost_much = found(0.9, change=(-0.05, 0.01), key={"town": "0"})
    assert not decided(lost_much, *others, **thresholds).blessed


def test_the_nearest_threshold_of_a_slice_holds() -> None:
    slices = [found(0.8, key={"town": "A"}), found(0.8, key={"town": "B"})]
    decision = decided(
        *slices,
        slice_thresholds={
            "every": {"auc": {"min": 0.9}},
            "town": {"auc": {"min": 0.7}},
            "town=B": {"auc": {"min": 0.85}},
        },
    )
    assert [(row.slice, row.threshold, row.verdict) for row in decision.rows] == [
        ("town=A", 0.7, "met"),
        ("town=B", 0.85, "missed"),
    ]


def test_a_small_slice_is_not_judged_but_all_examples_are() -> None:
    decision = decided(
        found(0.5, num_examples=20),
        found(0.5, num_examples=20, key={"town": "A"}),
        thresholds={"auc": {"min": 0.9}},
        slice_thresholds={"town": {"auc": {"min": 0.9}}},
    )
    assert [row.verdict for row in decision.rows] == ["missed", "not judged"]


@pytest.mark.parametrize(
    ("status", "key"),
    [
        ("none", "when_missing"),
        ("unreadable", "when_unreadable"),
        ("incompatible", "when_incompatible"),
    ],
)
def test_without_a_baseline_the_policy_decides(status: str, key: str) -> None:
    asked = {"thresholds": {"auc": {"min": 0.5, "max_loss": 0.01}}, "status": status}
    alone = decided(found(0.9), **asked)
    assert alone.blessed
    assert [row.verdict for row in alone.rows] == ["met", "not judged"]
    assert alone.rows[1].why == "the baseline is gone"
    refused = decided(found(0.9), **asked, baseline={key: "refuse"})
    assert not refused.blessed
    assert f"evaluation.baseline.{key}: refuse" in refused.reason


def test_nothing_is_blessed_without_a_threshold() -> None:
    assert not decided(found(0.9)).blessed

"""Whether a model is good enough: every threshold is held against an estimate and its interval.

Pure: nothing is computed here from rows, nothing is read or written.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from components.evaluation.catalogue import Metric
from components.evaluation.results import Estimate, SliceResult
from components.evaluation.settings import EVERY, EvaluationSettings, Threshold, WhenNotShown

MET, MISSED, NOT_SHOWN, NOT_JUDGED = "met", "missed", "not shown", "not judged"
Bound = Literal["min", "max", "max_loss"]
BaselineStatus = Literal["compared", "none", "unreadable", "incompatible"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One threshold and what came of it.

    Attributes:
        metric: its name.
        slice: the name of the slice.
        candidate: the candidate's value; NaN if there is none.
        baseline: the baseline's; None if there is none.
        low: lower end of the interval: of the value, or for `max_loss` of candidate minus baseline.
        high: its upper end.
        bound: which bound.
        threshold: its value.
        verdict: `met`, `missed`, `not shown` or `not judged`.
        why: one sentence.
        blocks: whether the model is refused for it.
    """

    metric: str
    slice: str
    candidate: float
    baseline: float | None
    low: float
    high: float
    bound: Bound
    threshold: float
    verdict: str
    why: str
    blocks: bool = False


@dataclass(frozen=True)
class Decision:
    """Whether the model is blessed, why in one line, and every threshold."""

    blessed: bool
    reason: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class _Test:
    """One bound that is to be held against one estimate."""

    metric: Metric
    found: SliceResult
    bound: Bound
    threshold: float


_NOTHING = Estimate(math.nan, math.nan)


def decide(
    slices: Sequence[SliceResult],
    settings: EvaluationSettings,
    metrics: Mapping[str, Metric],
    *,
    status: BaselineStatus = "none",
    status_reason: str = "",
) -> Decision:
    """Judges the candidate.

    The intervals of all bounds that an interval decides hold together at the settings' level: the
    more of them there are, the wider each is, so that many slices do not make a refusal by chance
    more likely.

    Args:
        slices: all examples and every slice.
        settings: the thresholds and the policies.
        metrics: the metrics of the model by name.
        status: what came of the baseline.
        status_reason: the same in words.
    """
    tests = [test for found in slices for test in _tests(found, settings, metrics)]
    by_interval = [test for test in tests if _policy(test, settings) != "point"]
    level = 1 - (1 - settings.confidence.level) / max(1, len(by_interval))
    rows = tuple(_judge(test, settings, level, status_reason) for test in tests)
    objections = [f"{row.metric} on {row.slice}: {row.why}" for row in rows if row.blocks]
    baseline = settings.baseline
    policies = {
        "none": ("when_missing", baseline.when_missing),
        "unreadable": ("when_unreadable", baseline.when_unreadable),
        "incompatible": ("when_incompatible", baseline.when_incompatible),
    }
    key, policy = policies.get(status, ("", "bless"))
    if policy == "refuse":
        objections.append(f"{status_reason} (evaluation.baseline.{key}: refuse)")
    if not tests:
        objections.append("no threshold is set, so nothing says that the model is good enough")
    if objections:
        return Decision(False, "; ".join(objections), rows)
    return Decision(True, _praise(rows), rows)


def thresholds_of(found: SliceResult, settings: EvaluationSettings) -> dict[str, Threshold]:
    """The thresholds of a slice by metric: of its name, else of its columns, else of every slice.

    Args:
        found: the slice, or all examples.
        settings: where the thresholds are set.
    """
    if not found.key:
        return dict(settings.thresholds)
    merged: dict[str, Threshold] = {}
    for name in (EVERY, found.columns, found.name):
        merged.update(settings.slice_thresholds.get(name, {}))
    return merged


def _tests(
    found: SliceResult, settings: EvaluationSettings, metrics: Mapping[str, Metric]
) -> Iterator[_Test]:
    for name, threshold in thresholds_of(found, settings).items():
        metric = metrics[name]
        if threshold.min is not None:
            yield _Test(metric, found, "min", threshold.min)
        if threshold.max is not None:
            yield _Test(metric, found, "max", threshold.max)
        if threshold.max_loss is not None:
            yield _Test(metric, found, "max_loss", threshold.max_loss)
        if threshold.max_loss_ratio is not None:
            before = (found.baseline or {}).get(name, _NOTHING).value
            yield _Test(metric, found, "max_loss", threshold.max_loss_ratio * abs(before))


def _policy(test: _Test, settings: EvaluationSettings) -> WhenNotShown:
    return settings.not_shown.change if test.bound == "max_loss" else settings.not_shown.value


def _judge(test: _Test, settings: EvaluationSettings, level: float, status_reason: str) -> Row:
    """Holds one bound against one estimate."""
    name, found = test.metric.name, test.found
    value = found.candidate.get(name, _NOTHING)
    before = found.baseline.get(name, _NOTHING) if found.baseline is not None else None
    tested = (found.change or {}).get(name, _NOTHING) if test.bound == "max_loss" else value
    low, high = tested.interval(level)

    def row(verdict: str, why: str, *, blocks: bool = False) -> Row:
        return Row(
            metric=name,
            slice=found.name,
            candidate=value.value,
            baseline=before.value if before is not None else None,
            low=low,
            high=high,
            bound=test.bound,
            threshold=test.threshold,
            verdict=verdict,
            why=why,
            blocks=blocks,
        )

    if found.key and found.num_examples < settings.min_examples:
        return row(NOT_JUDGED, f"{found.num_examples} rows, at least {settings.min_examples} count")
    if math.isnan(value.value):
        return row(MISSED, "is not a number", blocks=True)
    if test.bound == "max_loss" and before is None:
        return row(NOT_JUDGED, status_reason or "there is no baseline")
    if math.isnan(tested.value):
        return row(NOT_JUDGED, "the baseline's value is not a number")
    excess, text = _excess(test, tested)
    reach = tested.reach(level)
    policy = _policy(test, settings)
    if policy == "point" or excess - reach > 0 or excess + reach <= 0:
        return row(MISSED, text, blocks=True) if excess > 0 else row(MET, text)
    why = f"{text}, but the rows only show that it is from {low:.4g} to {high:.4g}"
    return row(NOT_SHOWN, why, blocks=policy == "refuse")


def _excess(test: _Test, tested: Estimate) -> tuple[float, str]:
    """How far beyond its bound a value is, negative within it, and the same in words."""
    value, bound = tested.value, test.threshold
    if test.bound == "min":
        relation = "is below" if value < bound else "is at least"
        return bound - value, f"{value:.4g} {relation} {bound:g}"
    if test.bound == "max":
        relation = "is above" if value > bound else "is at most"
        return value - bound, f"{value:.4g} {relation} {bound:g}"
    loss = -value if test.metric.better == "higher" else value
    relation = "more than" if loss > bound else "within"
    where = "for the worse" if loss > 0 else "for the better"
    allowed = f"the {bound:.4g} that is allowed"
    return loss - bound, f"changed by {value:+.4g} {where}, {relation} {allowed}"


def _praise(rows: Sequence[Row]) -> str:
    open_rows = [row for row in rows if row.verdict == NOT_SHOWN]
    if not open_rows:
        return "every threshold was met"
    return (
        f"no threshold was missed; for {len(open_rows)} of {len(rows)} the rows are too few to be "
        "sure"
    )

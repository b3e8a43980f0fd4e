"""What the model's page shows of an evaluation, in the form in which the template wants it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.model_card.evaluated import (
    Confusion,
    Estimate,
    Evaluation,
    Importance,
    Metric,
    Row,
)
from pipeline.report.distribution import short
from pipeline.report.model_charts import Interval, intervals

_SEVERITY = {"missed": "error", "not shown": "warn", "not judged": "", "met": "good"}
_ORDER = tuple(_SEVERITY)
_BOUNDS = {"min": "at least", "max": "at most", "max_loss": "worse by at most"}
_NOTHING = Metric()
_MAX_SLICES, _MAX_CLASSES, _MAX_PAIRS, _MAX_FEATURES = 40, 30, 10, 40


def verdicts(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The decision's rows, what keeps the model back first."""
    ordered = sorted(
        rows, key=lambda row: _ORDER.index(row.verdict) if row.verdict in _ORDER else len(_ORDER)
    )
    return [
        {
            "row": row,
            "severity": "error" if row.blocks else _SEVERITY.get(row.verdict, ""),
            "interval": interval_text(row.low, row.high),
            "bound": f"{_BOUNDS.get(row.bound, row.bound)} {short(row.threshold)}",
        }
        for row in ordered
    ]


def interval_text(low: float | None, high: float | None) -> str:
    """Two bounds; nothing where one is not known."""
    return "" if low is None or high is None else f"{short(low)} to {short(high)}"


def overall(found: Evaluation) -> list[dict[str, Any]]:
    """All metrics over all rows, but those of one class."""
    return [
        {"name": name, "cells": _cells(metric, found)}
        for name, metric in found.slices[0].metrics.items()
        if found.class_of(name) is None
    ]


def by_class(found: Evaluation) -> dict[str, Any] | None:
    """The metrics of each class over all rows: `kinds` across, `lines` down."""
    classes: dict[str, dict[str, Metric]] = {}
    for name, metric in found.slices[0].metrics.items():
        of_class = found.class_of(name)
        if of_class is not None:
            classes.setdefault(of_class[1], {})[of_class[0]] = metric
    kinds = list(dict.fromkeys(kind for metrics in classes.values() for kind in metrics))
    if not kinds:
        return None
    lines = [
        {"name": name, "cells": [_cells(metrics.get(kind, _NOTHING), found)[:3] for kind in kinds]}
        for name, metrics in classes.items()
    ]
    return {"kinds": kinds, "lines": lines}


def by_slice(found: Evaluation) -> list[dict[str, Any]]:
    """One entry a metric that was computed by slice; those that decide come first.

    The metrics of one class are many, and are shown only where they decide.
    """
    deciding = {row.metric for row in found.decision.rows}
    shown = [name for name in found.metrics if name in deciding or found.class_of(name) is None]
    names = sorted(shown, key=lambda name: name not in deciding)
    entries = []
    for name in names:
        parts = [part for part in found.slices if name in part.metrics][:_MAX_SLICES]
        if len(parts) < 2:
            continue
        chart = intervals(
            [
                (
                    part.name,
                    _interval(part.metrics[name].candidate),
                    _optional(part.metrics[name].baseline),
                )
                for part in parts
            ],
            title=f"{name} of each slice, with intervals; the table below has the numbers",
            bounds=_drawn_bounds(found, name),
        )
        lines = [
            {
                "name": part.name,
                "num": part.num_examples,
                "cells": _cells(part.metrics[name], found),
            }
            for part in parts
        ]
        entries.append({"name": name, "chart": chart, "lines": lines})
    return entries


def _drawn_bounds(found: Evaluation, metric: str) -> list[float]:
    """The bounds of a metric's value over all rows."""
    return [
        row.threshold
        for row in found.decision.rows
        if row.metric == metric
        and row.slice == found.slices[0].name
        and row.bound in ("min", "max")
        and row.threshold is not None
    ]


def _cells(metric: Metric, found: Evaluation) -> list[str]:
    """Value and interval of the candidate, and where there is one, of the baseline and change."""
    cells = []
    others = (metric.baseline, metric.change) if found.is_compared else ()
    for item in (metric.candidate, *others):
        if item is None:
            cells += ["", ""]
        else:
            value = "NaN" if item.nan else short(item.value)
            cells += [value, interval_text(item.low, item.high)]
    return cells


def _interval(found: Estimate) -> Interval:
    return Interval(value=found.value, low=found.low, high=found.high)


def _optional(found: Estimate | None) -> Interval | None:
    return _interval(found) if found is not None else None


def thresholds(found: Evaluation) -> list[dict[str, Any]]:
    """Counts and rates at each threshold, with the baseline's rates at the same."""
    before = found.plots.baseline.thresholds if found.plots.baseline is not None else ()
    others = {round(item.threshold, 6): _rates(item) for item in before}
    lines = []
    for item in found.plots.candidate.thresholds:
        precision, recall = _rates(item)
        total = item.tp + item.fp + item.tn + item.fn
        lines.append(
            {
                "at": item,
                "precision": precision,
                "recall": recall,
                "accuracy": (item.tp + item.tn) / total if total else None,
                "baseline": others.get(round(item.threshold, 6), (None, None)),
            }
        )
    return lines


def _rates(item: Any) -> tuple[float | None, float | None]:
    """Precision and recall; None where there is nothing to divide by."""
    answered, positives = item.tp + item.fp, item.tp + item.fn
    return (item.tp / answered if answered else None, item.tp / positives if positives else None)


def confusion(found: Confusion | None) -> dict[str, Any] | None:
    """The matrix of the classes with the most rows, and the pairs that are confused most."""
    if found is None or not found.labels:
        return None
    sums = [sum(row) for row in found.counts]
    order = sorted(range(len(sums)), key=lambda at: -sums[at])[:_MAX_CLASSES]
    shown = sorted(order)
    pairs = sorted(
        (
            (count, name, found.labels[taken])
            for name, row in zip(found.labels, found.counts, strict=True)
            for taken, count in enumerate(row)
            if count and name != found.labels[taken]
        ),
        key=lambda pair: -pair[0],
    )
    return {
        "labels": [found.labels[at] for at in shown],
        "rows": [
            {
                "name": found.labels[at],
                "cells": [
                    (found.counts[at][other], found.counts[at][other] / (sums[at] or 1))
                    for other in shown
                ],
            }
            for at in shown
        ],
        "left": len(sums) - len(shown),
        "pairs": pairs[:_MAX_PAIRS] if len(found.labels) > 2 else [],
    }


def importance(found: Sequence[Importance] | None) -> dict[str, Any] | None:
    """How much each column matters."""
    if not found:
        return None
    shown = found[:_MAX_FEATURES]
    chart = intervals(
        [
            (item.feature, Interval(value=item.loss, low=item.low, high=item.high), None)
            for item in shown
        ],
        title="How much worse the model is without each column; the table has the numbers",
        bounds=[0.0],
    )
    lines = [{"item": item, "interval": interval_text(item.low, item.high)} for item in shown]
    return {
        "chart": chart,
        "metric": shown[0].metric,
        "lines": lines,
        "left": len(found) - len(shown),
    }

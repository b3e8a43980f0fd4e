"""The curves of the model's page: of its scores, its errors, and its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from components.model_card.evaluated import Evaluation, Plots
from pipeline.report.model_charts import BASELINE, CANDIDATE, REFERENCE, Series, xy

_UNIT = (0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A chart with its caption; `has_baseline` adds the baseline to the key."""

    title: str
    note: str
    chart: Markup
    has_baseline: bool


def figures(found: Evaluation) -> list[Figure]:
    """The curves that the problem has, with the baseline's beside the candidate's."""
    models = [(CANDIDATE, found.plots.candidate)]
    if found.plots.baseline is not None:
        models.insert(0, (BASELINE, found.plots.baseline))
    made = [
        _curve(
            models,
            "roc",
            title="Hits and false alarms (ROC)",
            note="Right: the share of negatives taken for positive. Up: the share of positives "
            "found. Dashed: a guess.",
            reference=[(0, 0), (1, 1)],
        ),
        _curve(
            models,
            "pr",
            title="Precision and recall",
            note="Right: the share of positives found. Up: how many of those taken for positive "
            "are.",
        ),
        _curve(
            models,
            "calibration",
            title="Calibration",
            note="Right: the mean prediction of a group of rows. Up: how often it came true. "
            "Dashed: as predicted.",
            reference=[(0, 0), (1, 1)],
        ),
        *_residuals(models),
    ]
    return [figure for figure in made if figure.chart]


def _curve(
    models: Sequence[tuple[int, Plots]],
    name: str,
    *,
    title: str,
    note: str,
    reference: Sequence[tuple[float, float]] = (),
) -> Figure:
    series = [Series(points=reference, tone=REFERENCE)] if reference else []
    with_points = 0
    for tone, plots in models:
        points = [
            (point[0], point[1])
            for point in getattr(plots, name)
            if point[0] is not None and point[1] is not None
        ]
        with_points += bool(points)
        series.append(Series(points=points, tone=tone))
        if name == "calibration":
            series.append(Series(points=points, tone=tone, kind="dots"))
    # A reference alone is no chart.
    chart = xy(series, title=title, x=_UNIT, y=_UNIT) if with_points else Markup()
    return Figure(title=title, note=note, chart=chart, has_baseline=with_points > 1)


def _residuals(models: Sequence[tuple[int, Plots]]) -> list[Figure]:
    known = [(tone, plots.residuals) for tone, plots in models if plots.residuals is not None]
    clouds = [
        Series(points=residuals.predicted_vs_actual, tone=tone, kind="cloud")
        for tone, residuals in known
    ]
    values = [
        value for cloud in clouds for point in cloud.points for value in point if value is not None
    ]
    if not values:
        return []
    ends = (min(values), max(values))
    diagonal = Series(points=[(ends[0], ends[0]), (ends[1], ends[1])], tone=REFERENCE)
    title, errors = "Predicted and actual", "Errors"
    outlines = [
        Series(points=_outline(residuals.histogram), tone=tone) for tone, residuals in known
    ]
    return [
        Figure(
            title=title,
            note="Right: the actual value of a row. Up: the predicted. Dashed: both the same.",
            chart=xy([diagonal, *clouds], title=title),
            has_baseline=len(known) > 1,
        ),
        Figure(
            title=errors,
            note="Right: predicted less actual. Up: how many rows.",
            chart=xy(outlines, title=errors),
            has_baseline=len(known) > 1,
        ),
    ]


def _outline(bins: Sequence[tuple[float, float, float]]) -> list[tuple[float, float]]:
    if not bins:
        return []
    corners = [(bins[0][0], 0.0)]
    for low, high, count in bins:
        corners += [(low, count), (high, count)]
    return [*corners, (bins[-1][1], 0.0)]


def curves(history: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The learning curves: the loss of both splits, then each metric of the eval split."""
    points = history.get("curve", ())
    evaluations = history.get("evaluations", ())
    names = list(dict.fromkeys(name for item in evaluations for name in item["metrics"]))
    made = []
    for name in ["loss", *(name for name in names if name not in ("loss", "rows"))]:
        series = []
        if name == "loss":
            trained = [(item["step"], item.get("loss")) for item in points]
            series.append(Series(points=trained, tone=BASELINE))
        measured = [(item["step"], item["metrics"].get(name)) for item in evaluations]
        series += [Series(points=measured), Series(points=measured, kind="dots")]
        chart = xy(series, title=f"{name} at each step")
        if chart:
            made.append({"name": name, "chart": chart, "has_train": name == "loss"})
    return made

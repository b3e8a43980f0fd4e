"""What is drawn of a model over all examples: curves, matrices and residuals, as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from components.evaluation.scores import Array, Scores
from components.evaluation.settings import EvaluationSettings
from components.features import Label

_MAX_POINTS = 200
_MAX_DOTS = 500
_MAX_CLASSES = 50
_NUM_BINS = 10
_NUM_BARS = 30

Plots = dict[str, Any]


def plots_of(scores: Scores, label: Label, settings: EvaluationSettings) -> dict[str, Plots]:
    """The plots of each model, by name; none of a model whose answers are not all numbers.

    Args:
        scores: the rows.
        label: the problem and its classes.
        settings: the threshold of a binary model.
    """
    found = {}
    for model, predictions in scores.predictions.items():
        if not len(scores) or not np.isfinite(predictions).all():
            continue
        if label.problem == "binary":
            found[model] = _binary(scores, predictions, label, settings.threshold)
        elif label.problem == "multiclass":
            found[model] = _multiclass(scores, predictions, label)
        else:
            found[model] = _regression(scores, predictions)
    return found


def _binary(scores: Scores, probabilities: Array, label: Label, threshold: float) -> Plots:
    positive = (scores.labels == 1).astype(np.float64)
    order = np.argsort(-probabilities, kind="stable")
    is_last = np.append(np.diff(probabilities[order]) != 0, True)
    hits = np.cumsum((scores.weights * positive)[order])[is_last]
    both = np.cumsum(scores.weights[order])[is_last]
    misses = both - hits
    with np.errstate(divide="ignore", invalid="ignore"):
        curve = np.stack([misses / misses[-1], hits / hits[-1], hits / both], axis=1)
    curve = _thinned(np.nan_to_num(curve))
    table = [_counts(positive, probabilities, scores, at / 100) for at in range(101)]
    return {
        "roc": [[0.0, 0.0], *curve[:, :2].tolist()],
        "pr": curve[:, 1:].tolist(),
        "calibration": _calibration(positive, probabilities, scores.weights),
        "thresholds": table,
        "confusion": _confusion_at(_counts(positive, probabilities, scores, threshold), label),
    }


def _counts(positive: Array, probabilities: Array, scores: Scores, at: float) -> Mapping[str, Any]:
    """The rows, by their weights, that are right and wrong when those above `at` are positive."""
    called = probabilities > at
    cells = {
        "tp": called & (positive == 1),
        "fp": called & (positive == 0),
        "tn": ~called & (positive == 0),
        "fn": ~called & (positive == 1),
    }
    return {"threshold": at} | {name: _number(scores, cell) for name, cell in cells.items()}


def _confusion_at(counts: Mapping[str, Any], label: Label) -> Plots:
    matrix = [[counts["tn"], counts["fp"]], [counts["fn"], counts["tp"]]]
    return {"labels": list(label.classes), "counts": matrix}


def _number(scores: Scores, rows: Array) -> float | int:
    return float(scores.weights[rows].sum()) if scores.is_weighted else int(rows.sum())


def _calibration(positive: Array, probabilities: Array, weights: Array) -> list[list[float]]:
    """By tenths of the probability: its mean, the share of positives, the rows by weight."""
    tenth = np.clip((probabilities * _NUM_BINS).astype(int), 0, _NUM_BINS - 1)
    count = np.bincount(tenth, weights, _NUM_BINS)
    predicted = np.bincount(tenth, weights * probabilities, _NUM_BINS)
    actual = np.bincount(tenth, weights * positive, _NUM_BINS)
    used = count > 0
    return np.stack(
        [predicted[used] / count[used], actual[used] / count[used], count[used]], 1
    ).tolist()


def _multiclass(scores: Scores, predictions: Array, label: Label) -> Plots:
    size = len(label.classes)
    if size > _MAX_CLASSES:
        return {}
    cell = scores.labels * size + predictions.argmax(axis=1)
    counts = np.bincount(cell, scores.weights if scores.is_weighted else None, size * size)
    return {
        "confusion": {"labels": list(label.classes), "counts": counts.reshape(size, size).tolist()}
    }


def _regression(scores: Scores, values: Array) -> Plots:
    order = np.argsort(scores.labels, kind="stable")
    dots = np.stack([scores.labels, values], axis=1)[order]
    counts, edges = np.histogram(scores.labels - values, _NUM_BARS, weights=scores.weights)
    return {
        "residuals": {
            "predicted_vs_actual": _thinned(dots, _MAX_DOTS).tolist(),
            "histogram": np.stack([edges[:-1], edges[1:], counts], axis=1).tolist(),
        }
    }


def _thinned(points: Array, most: int = _MAX_POINTS) -> Array:
    """At most so many of the points, evenly chosen, the first and the last among them."""
    if len(points) <= most:
        return points
    return points[np.linspace(0, len(points) - 1, most).round().astype(int)]

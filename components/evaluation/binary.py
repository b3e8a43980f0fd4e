"""Metrics of a model with two classes, for many weightings of the same rows at once."""

from __future__ import annotations

import numpy as np

from components.evaluation.scores import Array

# What log loss takes for a probability of 0, as Keras does.
LEAST = 1e-7


def binary_metrics(
    labels: Array, probabilities: Array, weights: Array, *, threshold: float
) -> dict[str, Array]:
    """Every metric under every weighting; NaN where the rows do not define it.

    Args:
        labels: int64 [rows], 0 or 1.
        probabilities: float64 [rows], of class 1.
        weights: float64 [weightings, rows], not negative.
        threshold: the probability above which a row is called positive.

    Returns:
        `auc`, the area under the ROC curve, ties counted half; `pr_auc`, the average precision;
        `log_loss` in nats; `accuracy`, `precision` and `recall` at the threshold; `calibration`,
        the mean probability by the share of positives. Each is [weightings].

    Source: Fawcett, An introduction to ROC analysis, 2006.
    """
    positive = (labels == 1).astype(np.float64)
    called = (probabilities > threshold).astype(np.float64)
    certain = np.clip(np.where(labels == 1, probabilities, 1 - probabilities), LEAST, 1 - LEAST)
    columns = [positive, called, positive * called, probabilities, -np.log(certain)]
    total = weights.sum(axis=1)
    positives, calls, hits, expected, losses = (weights @ np.stack(columns, axis=1)).T
    auc, average_precision = _areas(positive, probabilities, weights)
    return {
        "auc": auc,
        "pr_auc": average_precision,
        "log_loss": ratio(losses, total),
        "accuracy": ratio(total - positives - calls + 2 * hits, total),
        "precision": ratio(hits, calls),
        "recall": ratio(hits, positives),
        "calibration": ratio(expected, positives),
    }


def area_under_curve(positive: Array, scores: Array, weights: Array) -> Array:
    """The area under the ROC curve, [weightings]; NaN without both classes.

    Args:
        positive: float64 [rows], 1 for a positive row, else 0.
        scores: float64 [rows].
        weights: float64 [weightings, rows].
    """
    return _areas(positive, scores, weights)[0]


def ratio(part: Array, whole: Array) -> Array:
    """`part / whole`; NaN where there is no whole."""
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


def _areas(positive: Array, scores: Array, weights: Array) -> tuple[Array, Array]:
    """The areas under the ROC curve and under the steps of the precision-recall curve."""
    order = np.argsort(-scores, kind="stable")
    sorted_weights = weights[:, order]
    is_last = np.append(np.diff(scores[order]) != 0, True)
    hits = np.cumsum(sorted_weights * positive[order], axis=1)[:, is_last]
    both = np.cumsum(sorted_weights, axis=1)[:, is_last]
    misses = both - hits
    new_hits = np.diff(hits, axis=1, prepend=0)
    new_misses = np.diff(misses, axis=1, prepend=0)
    positives, negatives = hits[:, -1], misses[:, -1]
    # Above a threshold that a resampling has no row above, nothing is found either.
    precision = np.divide(hits, both, out=np.zeros_like(hits), where=both > 0)
    ordered = (new_misses * (hits - new_hits / 2)).sum(axis=1)
    return ratio(ordered, positives * negatives), ratio(
        (new_hits * precision).sum(axis=1), positives
    )

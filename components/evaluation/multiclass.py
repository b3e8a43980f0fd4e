"""Metrics of a model with several classes, for many weightings of the same rows at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from components.evaluation.binary import LEAST, area_under_curve, ratio
from components.evaluation.catalogue import MAX_CLASSES, MAX_CURVES
from components.evaluation.scores import Array


def multiclass_metrics(
    labels: Array, scores: Array, weights: Array, *, classes: Sequence[str], top_k: int
) -> dict[str, Array]:
    """Every metric under every weighting; NaN where the rows do not define it.

    Args:
        labels: int64 [rows], the index of the class.
        scores: float64 [rows, classes], probabilities.
        weights: float64 [weightings, rows], not negative.
        classes: their names.
        top_k: how many guesses the model has.

    Returns:
        `accuracy`; `top_<k>`, where there are more classes: the label is among the k most
        probable; `log_loss` in nats; and for a class, by its name, `precision:`, `recall:` and,
        against all others, `auc:`. Each is [weightings].
    """
    rows = np.arange(len(labels))
    own = scores[rows, labels]
    guesses = scores.argmax(axis=1)
    columns = {
        "accuracy": (guesses == labels).astype(np.float64),
        "log_loss": -np.log(np.clip(own, LEAST, 1 - LEAST)),
    }
    if len(classes) > top_k:
        # Of equal scores the first class goes before, as in argmax.
        earlier = np.arange(len(classes))[np.newaxis, :] < labels[:, np.newaxis]
        ties = (scores == own[:, np.newaxis]) & earlier
        rank = (scores > own[:, np.newaxis]).sum(axis=1) + ties.sum(axis=1)
        columns[f"top_{top_k}"] = (rank < top_k).astype(np.float64)
    sums = (weights @ np.stack(list(columns.values()), axis=1)).T
    total = weights.sum(axis=1)
    found = {name: ratio(part, total) for name, part in zip(columns, sums, strict=True)}
    if len(classes) <= MAX_CLASSES:
        found.update(_by_class(labels, guesses, weights, classes))
    if len(classes) <= MAX_CURVES:
        for at, name in enumerate(classes):
            positive = (labels == at).astype(np.float64)
            found[f"auc:{name}"] = area_under_curve(positive, scores[:, at], weights)
    return found


def _by_class(
    labels: Array, guesses: Array, weights: Array, classes: Sequence[str]
) -> dict[str, Array]:
    every = np.arange(len(classes))
    is_label = (labels[:, np.newaxis] == every).astype(np.float64)
    is_guess = (guesses[:, np.newaxis] == every).astype(np.float64)
    hits = weights @ (is_label * is_guess)
    precision, recall = ratio(hits, weights @ is_guess), ratio(hits, weights @ is_label)
    found = {}
    for at, name in enumerate(classes):
        found[f"precision:{name}"] = precision[:, at]
        found[f"recall:{name}"] = recall[:, at]
    return found

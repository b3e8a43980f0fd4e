"""How good scores are, told in the same few numbers for every form of a model."""

from __future__ import annotations

import numpy as np

from components.features import Problem

Metrics = dict[str, float]
# What log loss takes for a probability of 0: float32 scores round to it.
_LEAST = 1e-7


def quality(
    problem: Problem, scores: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None
) -> Metrics:
    """The metrics of `scores`, the mean over the rows, each counting by its weight.

    Args:
        problem: decides which: `accuracy` and `log_loss` (nats), or `rmse` and `mae`.
        scores: float32 [rows, units], what the model answers.
        labels: class indices or values [rows].
        weights: how much each row counts [rows]; all the same if None.
    """
    scores = scores.astype(np.float64)
    if problem == "regression":
        errors = scores[:, 0] - labels
        return {
            "rmse": float(np.sqrt(np.average(errors**2, weights=weights))),
            "mae": float(np.average(np.abs(errors), weights=weights)),
        }
    if problem == "binary":
        scores = np.hstack([1 - scores, scores])
    right = scores.argmax(axis=1) == labels
    likely = np.clip(scores[np.arange(len(labels)), labels], _LEAST, 1)
    return {
        "accuracy": float(np.average(right, weights=weights)),
        "log_loss": float(np.average(-np.log(likely), weights=weights)),
    }

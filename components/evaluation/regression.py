"""Metrics of a model that answers with a number, for many weightings of the same rows at once."""

from __future__ import annotations

import numpy as np

from components.evaluation.binary import ratio
from components.evaluation.scores import Array


def regression_metrics(labels: Array, values: Array, weights: Array) -> dict[str, Array]:
    """Every metric under every weighting; NaN where the rows do not define it.

    Args:
        labels: float64 [rows].
        values: float64 [rows], what the model answered.
        weights: float64 [weightings, rows], not negative.

    Returns:
        `rmse` and `mae` in the label's units; `r2`, the share of the label's variance that is
        explained. Each is [weightings].
    """
    errors = values - labels
    # Around a value near the mean, or the difference of two large sums would be all rounding.
    centred = labels - labels.mean()
    columns = np.stack([errors**2, np.abs(errors), centred, centred**2], axis=1)
    total = weights.sum(axis=1)
    squares, absolute, mean, spread = (ratio(part, total) for part in (weights @ columns).T)
    return {
        "rmse": np.sqrt(squares),
        "mae": absolute,
        "r2": 1 - ratio(squares, spread - mean**2),
    }

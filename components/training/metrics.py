"""Measures of a model's answers on rows it was not trained on, from arrays added in parts."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from components.features import Problem


class Metrics(Protocol):
    """Metrics of one kind of problem."""

    def add(self, outputs: np.ndarray, labels: np.ndarray) -> None:
        """Adds rows.

        Args:
            outputs: logits, or for regression values in the label's units, [rows, units].
            labels: [rows].
        """

    def result(self) -> dict[str, float]:
        """The metrics of all rows added, by name; without those that the rows do not define."""


class BinaryMetrics:
    """`auc` and `accuracy` at probability 0.5."""

    def __init__(self) -> None:
        self._logits: list[np.ndarray] = []
        self._labels: list[np.ndarray] = []

    def add(self, outputs: np.ndarray, labels: np.ndarray) -> None:
        """See `Metrics`."""
        self._logits.append(outputs[:, 0])
        self._labels.append(labels == 1)

    def result(self) -> dict[str, float]:
        """See `Metrics`. Without both classes there is no `auc`."""
        if not self._logits:
            return {}
        logits, labels = np.concatenate(self._logits), np.concatenate(self._labels)
        result = {"accuracy": float(np.mean((logits > 0) == labels))}
        if labels.any() and not labels.all():
            result["auc"] = area_under_curve(logits, labels)
        return result


class MulticlassMetrics:
    """`accuracy` of the most probable class."""

    def __init__(self) -> None:
        self._rows = 0
        self._hits = 0

    def add(self, outputs: np.ndarray, labels: np.ndarray) -> None:
        """See `Metrics`."""
        self._rows += labels.size
        self._hits += int((outputs.argmax(axis=1) == labels).sum())

    def result(self) -> dict[str, float]:
        """See `Metrics`."""
        return {"accuracy": self._hits / self._rows} if self._rows else {}


class RegressionMetrics:
    """`rmse` and `mae`, in the label's units."""

    def __init__(self) -> None:
        self._rows = 0
        self._squares = 0.0
        self._distances = 0.0

    def add(self, outputs: np.ndarray, labels: np.ndarray) -> None:
        """See `Metrics`."""
        errors = outputs[:, 0].astype(np.float64) - labels
        self._rows += labels.size
        self._squares += float((errors**2).sum())
        self._distances += float(np.abs(errors).sum())

    def result(self) -> dict[str, float]:
        """See `Metrics`."""
        if not self._rows:
            return {}
        rmse = float(np.sqrt(self._squares / self._rows))
        return {"rmse": rmse, "mae": self._distances / self._rows}


def make_metrics(problem: Problem) -> Metrics:
    """Empty metrics for `problem`."""
    if problem == "binary":
        return BinaryMetrics()
    return MulticlassMetrics() if problem == "multiclass" else RegressionMetrics()


def area_under_curve(scores: np.ndarray, labels: np.ndarray) -> float:
    """The exact area under the ROC curve; equal scores count half.

    Args:
        scores: any order-preserving scores, [rows].
        labels: bool, [rows], both values present.
    """
    _, group, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_ranks = np.cumsum(counts) - (counts - 1) / 2
    positives = int(labels.sum())
    negatives = labels.size - positives
    rank_sum = float(mean_ranks[group][labels].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)

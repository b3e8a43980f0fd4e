"""What the pictures of an evaluation show, computed from labels and scores alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from components.features import Label
from components.training.metrics import area_under_curve

# The points of a drawn curve: more than a picture has pixels for.
_MAX_POINTS = 1000


class Curve(NamedTuple):
    """A curve over all thresholds.

    Attributes:
        x: float64 [points].
        y: float64 [points].
        area: the exact area under it: of ROC the AUC, of precision the average precision.
    """

    x: np.ndarray
    y: np.ndarray
    area: float


class ThresholdCounts(NamedTuple):
    """How a class is told from the rest at thresholds evenly spread over [0, 1], int64 [n] each."""

    true_positives: np.ndarray
    false_positives: np.ndarray
    true_negatives: np.ndarray
    false_negatives: np.ndarray


def confusion_counts(labels: np.ndarray, scores: np.ndarray, num_classes: int) -> np.ndarray:
    """How many rows of each class were taken for which, int64 [true class, answered class].

    Args:
        labels: class indices [rows].
        scores: probabilities, [rows, 1] of class 1 or [rows, num_classes].
        num_classes: at least 2.
    """
    answers = (scores[:, 0] > 0.5).astype(np.int64) if num_classes == 2 else scores.argmax(axis=1)
    cells = labels.astype(np.int64) * num_classes + answers
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def one_against_rest(
    label: Label, labels: np.ndarray, scores: np.ndarray, *, most: int
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Each class that some of the rows have and some have not: name, bool [rows], scores [rows].

    A binary label has one, the second. Of many, the `most` frequent are given, in index order.
    """
    if label.problem == "binary":
        indices = np.array([1])
    else:
        counts = np.bincount(labels.astype(np.int64), minlength=len(label.classes))
        indices = np.sort(np.argsort(-counts, kind="stable")[:most])
    for index in indices:
        positives = labels == index
        if positives.any() and not positives.all():
            column = scores[:, 0 if scores.shape[1] == 1 else index]
            yield label.classes[index], positives, column.astype(np.float64)


def precision_over_recall(positives: np.ndarray, scores: np.ndarray) -> Curve:
    """The precision at each recall, from the highest threshold on.

    Args:
        positives: bool [rows], both values present.
        scores: the higher the likelier positive, [rows].
    """
    hits, misses = _cumulated(positives, scores)
    recall, precision = hits / hits[-1], hits / (hits + misses)
    area = float(np.sum(np.diff(recall, prepend=0.0) * precision))
    return _thinned(np.insert(recall, 0, 0.0), np.insert(precision, 0, precision[0]), area)


def roc(positives: np.ndarray, scores: np.ndarray) -> Curve:
    """The true positive rate at each false positive rate; see `precision_over_recall`."""
    hits, misses = _cumulated(positives, scores)
    x, y = np.insert(misses / misses[-1], 0, 0.0), np.insert(hits / hits[-1], 0, 0.0)
    return _thinned(x, y, area_under_curve(scores, positives))


def threshold_counts(
    positives: np.ndarray, scores: np.ndarray, *, num_thresholds: int = 201
) -> ThresholdCounts:
    """Counts at each threshold; a row is answered positive if its score is at least that.

    Args:
        positives: bool [rows].
        scores: probabilities, [rows].
        num_thresholds: how many, 0 and 1 included.
    """
    thresholds = np.linspace(0.0, 1.0, num_thresholds)
    inside, outside = np.sort(scores[positives]), np.sort(scores[~positives])
    missed = np.searchsorted(inside, thresholds, side="left")
    rejected = np.searchsorted(outside, thresholds, side="left")
    return ThresholdCounts(inside.size - missed, outside.size - rejected, rejected, missed)


def _cumulated(positives: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positives and negatives with at least each distinct score, from the highest on."""
    order = np.argsort(-scores, kind="stable")
    last_of_score = np.append(np.diff(scores[order]) != 0, True)
    hits = np.cumsum(positives[order], dtype=np.float64)[last_of_score]
    rows = np.flatnonzero(last_of_score) + 1.0
    return hits, rows - hits


def _thinned(x: np.ndarray, y: np.ndarray, area: float) -> Curve:
    if x.size > _MAX_POINTS:
        keep = np.unique(np.linspace(0, x.size - 1, _MAX_POINTS).astype(np.int64))
        x, y = x[keep], y[keep]
    return Curve(x, y, area)

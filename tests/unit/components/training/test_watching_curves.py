from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from components.features import Label
from components.training.watching.curves import (
    confusion_counts,
    one_against_rest,
    precision_over_recall,
    roc,
    threshold_counts,
)

THREE = Label(column="kind", dtype="bytes", problem="multiclass", classes=("a", "b", "c"))


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    """3,000 rows, with many equal scores."""
    random = np.random.default_rng(0)
    positives = random.random(3000) < 0.3
    scores = np.round(random.normal(positives, 1.0) / 8 + 0.5, 2).clip(0, 1)
    return positives, scores


def test_the_areas_are_those_of_scikit_learn(rows: tuple[np.ndarray, np.ndarray]) -> None:
    positives, scores = rows
    precision = precision_over_recall(positives, scores)
    assert precision.area == pytest.approx(metrics.average_precision_score(positives, scores))
    hits = roc(positives, scores)
    assert hits.area == pytest.approx(metrics.roc_auc_score(positives, scores))
    assert np.trapezoid(hits.y, hits.x) == pytest.approx(hits.area)
    assert (hits.x[0], hits.y[0], hits.x[-1], hits.y[-1]) == (0, 0, 1, 1)


def test_a_curve_of_many_scores_is_thinned_without_changing_its_area() -> None:
    random = np.random.default_rng(1)
    positives = random.random(50_000) < 0.5
    scores = random.random(50_000)
    curve = roc(positives, scores)
    assert curve.x.size <= 1000
    assert (curve.x[-1], curve.y[-1]) == (1, 1)
    assert curve.area == pytest.approx(metrics.roc_auc_score(positives, scores))


def test_thresholds_count_as_a_server_would_answer(rows: tuple[np.ndarray, np.ndarray]) -> None:
    positives, scores = rows
    counts = threshold_counts(positives, scores, num_thresholds=5)
    for index, threshold in enumerate(np.linspace(0, 1, 5)):
        answers = scores >= threshold
        assert counts.true_positives[index] == (answers & positives).sum()
        assert counts.false_positives[index] == (answers & ~positives).sum()
        assert counts.true_negatives[index] == (~answers & ~positives).sum()
        assert counts.false_negatives[index] == (~answers & positives).sum()


def test_confusion_counts_rows_by_truth_and_answer() -> None:
    labels = np.array([0, 0, 1, 1, 1])
    scores = np.array([[0.2], [0.9], [0.5], [0.6], [0.7]])
    assert confusion_counts(labels, scores, 2).tolist() == [[1, 1], [1, 2]]
    many = np.eye(3)[[2, 2, 1]]
    assert confusion_counts(np.array([2, 0, 1]), many, 3).tolist() == [
        [0, 0, 1],
        [0, 1, 0],
        [0, 0, 1],
    ]


def test_only_the_most_frequent_classes_that_tell_rows_apart_have_a_curve() -> None:
    labels = np.array([0, 1, 1, 1, 0, 2])
    scores = np.eye(3)[labels]
    found = list(one_against_rest(THREE, labels, scores, most=2))
    assert [name for name, _, _ in found] == ["a", "b"]
    assert found[1][1].tolist() == [False, True, True, True, False, False]
    assert found[1][2].tolist() == [0, 1, 1, 1, 0, 0]
    assert list(one_against_rest(THREE, np.zeros(3, np.int32), np.eye(3), most=3)) == []

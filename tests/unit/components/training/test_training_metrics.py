from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from components.training.metrics import area_under_curve, make_metrics


@pytest.mark.parametrize("levels", [3, 1000])
def test_area_under_curve_is_exact_also_with_equal_scores(levels: int) -> None:
    random = np.random.default_rng(0)
    labels = random.random(500) < 0.3
    scores = np.round((random.random(500) + labels) * levels).astype(np.float32)
    assert area_under_curve(scores, labels) == pytest.approx(roc_auc_score(labels, scores))


def test_binary_metrics_are_those_of_all_parts() -> None:
    metrics = make_metrics("binary")
    metrics.add(np.array([[1.0], [-1.0]]), np.array([1, 0]))
    metrics.add(np.array([[2.0], [-2.0]]), np.array([0, 0]))
    assert metrics.result() == {"accuracy": 0.75, "auc": pytest.approx(2 / 3)}


def test_one_class_alone_has_no_area_under_curve() -> None:
    metrics = make_metrics("binary")
    metrics.add(np.array([[1.0], [-1.0]]), np.array([1, 1]))
    assert metrics.result() == {"accuracy": 0.5}


def test_multiclass_accuracy_counts_the_most_probable_class() -> None:
    metrics = make_metrics("multiclass")
    metrics.add(np.array([[1.0, 2, 0], [3, 2, 0]]), np.array([1, 1]))
    metrics.add(np.array([[1.0, 2, 4], [3, 2, 0]]), np.array([2, 0]))
    assert metrics.result() == {"accuracy": 0.75}


def test_regression_errors_are_in_units_of_the_label() -> None:
    metrics = make_metrics("regression")
    metrics.add(np.array([[10.0], [20.0]]), np.array([13.0, 16.0]))
    metrics.add(np.array([[5.0]]), np.array([5.0]))
    assert metrics.result() == {
        "rmse": pytest.approx((25 / 3) ** 0.5),
        "mae": pytest.approx(7 / 3),
    }


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_no_rows_have_no_metrics(problem) -> None:
    assert make_metrics(problem).result() == {}

"""What is drawn is small, complete, and adds up."""

from __future__ import annotations

import json

import numpy as np
import pytest

from components.evaluation.plots import plots_of
from components.evaluation.scores import Scores
from components.evaluation.settings import EvaluationSettings
from components.features import Label

BINARY = Label(column="y", dtype="bytes", problem="binary", classes=("no", "yes"))
SETTINGS = EvaluationSettings(slices=())


@pytest.fixture
def scores() -> Scores:
    random = np.random.default_rng(4)
    labels = random.integers(0, 2, 5000)
    answers = np.clip(random.normal(0.3 + 0.4 * labels, 0.2), 0, 1)
    return Scores(
        labels=labels,
        weights=np.ones(5000),
        predictions={"candidate": answers, "baseline": answers**2},
        columns={},
    )


def test_curves_go_from_one_end_to_the_other_in_few_points(scores: Scores) -> None:
    from sklearn.metrics import auc, roc_auc_score

    plots = plots_of(scores, BINARY, SETTINGS)
    assert plots.keys() == {"candidate", "baseline"}
    roc = np.array(plots["candidate"]["roc"])
    assert roc[0].tolist() == [0, 0]
    assert roc[-1].tolist() == [1, 1]
    assert len(roc) <= 201
    assert auc(*roc.T) == pytest.approx(
        roc_auc_score(scores.labels, scores.predictions["candidate"]), abs=1e-3
    )
    assert len(json.dumps(plots)) < 60_000


def test_counts_at_every_threshold_are_all_rows(scores: Scores) -> None:
    table = plots_of(scores, BINARY, SETTINGS)["candidate"]["thresholds"]
    assert [row["threshold"] for row in table] == pytest.approx(np.arange(101) / 100)
    assert {row["tp"] + row["fp"] + row["tn"] + row["fn"] for row in table} == {5000}
    assert all(isinstance(row["tp"], int) for row in table)
    half = table[50]
    called = scores.predictions["candidate"] > 0.5
    assert half["tp"] == (called & (scores.labels == 1)).sum()
    assert half["fp"] == (called & (scores.labels == 0)).sum()


def test_the_matrix_is_at_the_threshold_that_is_set(scores: Scores) -> None:
    settings = EvaluationSettings(slices=(), threshold=0.7)
    found = plots_of(scores, BINARY, settings)["candidate"]["confusion"]
    called = scores.predictions["candidate"] > 0.7
    assert found["labels"] == ["no", "yes"]
    assert found["counts"][0][1] == (called & (scores.labels == 0)).sum()


def test_calibration_has_every_row_once(scores: Scores) -> None:
    tenths = plots_of(scores, BINARY, SETTINGS)["candidate"]["calibration"]
    assert sum(count for _, _, count in tenths) == 5000
    assert all(0 <= mean <= 1 and 0 <= share <= 1 for mean, share, _ in tenths)


def test_a_model_without_numbers_has_no_plots(scores: Scores) -> None:
    scores.predictions["baseline"][7] = np.nan
    assert plots_of(scores, BINARY, SETTINGS).keys() == {"candidate"}


def test_many_classes_have_no_matrix() -> None:
    classes = tuple(map(str, range(60)))
    label = Label(column="y", dtype="bytes", problem="multiclass", classes=classes)
    scores = Scores(
        labels=np.arange(60),
        weights=np.ones(60),
        predictions={"candidate": np.eye(60)},
        columns={},
    )
    assert plots_of(scores, label, SETTINGS) == {"candidate": {}}

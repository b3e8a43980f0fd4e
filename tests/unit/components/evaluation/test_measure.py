"""Numbers: against other libraries, and against what is known of the draws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from components.evaluation import measure as measuring
from components.evaluation.binary import binary_metrics
from components.evaluation.catalogue import metrics_of
from components.evaluation.decide import decide
from components.evaluation.measure import measure
from components.evaluation.multiclass import multiclass_metrics
from components.evaluation.regression import regression_metrics
from components.evaluation.scores import Column, Scores
from components.evaluation.settings import EvaluationSettings
from components.features import Label

LABEL = Label(column="y", dtype="bytes", problem="binary", classes=("no", "yes"))


def draw(seed: int, num_rows: int = 400, num_slices: int = 0, noise: float = 0.3) -> Scores:
    """Two models that are equally good: each sees the truth through noise of its own."""
    random = np.random.default_rng(seed)
    logit = random.normal(size=num_rows)
    labels = (random.random(num_rows) < 1 / (1 + np.exp(-2 * logit))).astype(np.int64)
    seen = {
        name: 1 / (1 + np.exp(-2 * (logit + noise * random.normal(size=num_rows))))
        for name in ("candidate", "baseline")
    }
    columns = {}
    if num_slices:
        codes = random.integers(0, num_slices, num_rows).astype(np.int32)
        columns["town"] = Column(codes=codes, values=tuple(map(str, range(num_slices))))
    return Scores(labels=labels, weights=np.ones(num_rows), predictions=seen, columns=columns)


def settings(**values: Any) -> EvaluationSettings:
    return EvaluationSettings.model_validate({"slices": [], **values})


def test_binary_metrics_are_those_of_scikit_learn_with_ties_and_weights() -> None:
    from sklearn import metrics

    random = np.random.default_rng(1)
    labels = random.integers(0, 2, 300)
    scores = np.round(np.clip(random.normal(labels * 0.3 + 0.35, 0.2), 0.01, 0.99), 1)
    weights = random.random(300)
    found = binary_metrics(labels, scores, weights[np.newaxis], threshold=0.4)
    called = scores > 0.4
    expected = {
        "auc": metrics.roc_auc_score(labels, scores, sample_weight=weights),
        "pr_auc": metrics.average_precision_score(labels, scores, sample_weight=weights),
        "log_loss": metrics.log_loss(labels, scores, sample_weight=weights),
        "accuracy": metrics.accuracy_score(labels, called, sample_weight=weights),
        "precision": metrics.precision_score(labels, called, sample_weight=weights),
        "recall": metrics.recall_score(labels, called, sample_weight=weights),
        "calibration": (weights * scores).sum() / (weights * labels).sum(),
    }
    assert {name: values[0] for name, values in found.items()} == pytest.approx(expected)


@pytest.mark.slow
def test_binary_metrics_are_those_of_tfma() -> None:
    import tensorflow_model_analysis as tfma
    from google.protobuf import text_format

    scores = draw(5, 500, num_slices=2)
    weights = np.random.default_rng(2).integers(1, 4, 500).astype(float)
    config = text_format.Parse(
        """
        model_specs { label_key: "label" prediction_key: "prediction" example_weight_key: "weight" }
        slicing_specs {} slicing_specs { feature_keys: "town" }
        metrics_specs {
          metrics { class_name: "AUC" } metrics { class_name: "BinaryCrossentropy" }
          metrics { class_name: "BinaryAccuracy" } metrics { class_name: "Precision" }
          metrics { class_name: "Recall" } metrics { class_name: "Calibration" }
        }""",
        tfma.EvalConfig(),
    )
    frame = pd.DataFrame(
        {
            "label": scores.labels.astype(float),
            "prediction": scores.predictions["candidate"],
            "weight": weights,
            "town": scores.columns["town"].codes.astype(str),
        }
    )
    theirs = {
        tuple(key): {name: value["doubleValue"] for name, value in metrics[""][""].items()}
        for key, metrics in tfma.analyze_raw_data(frame, config).slicing_metrics
    }
    names = {
        "auc": "auc",
        "log_loss": "binary_crossentropy",
        "accuracy": "binary_accuracy",
        "precision": "precision",
        "recall": "recall",
        "calibration": "calibration",
    }
    weighted = Scores(
        labels=scores.labels,
        weights=weights,
        predictions={"candidate": scores.predictions["candidate"]},
        columns=scores.columns,
    )
    ours = measure(weighted, LABEL, settings(slices=["town"]))
    assert len(ours) == len(theirs) == 3
    for found in ours:
        expected = theirs[tuple(found.key.items())]
        for name, their_name in names.items():
            # TFMA's curve has 10,000 thresholds.
            assert found.candidate[name].value == pytest.approx(expected[their_name], abs=2e-4), (
                name
            )


def test_what_the_rows_do_not_define_is_nan() -> None:
    only_no = binary_metrics(
        np.zeros(4, int), np.array([0.1, 0.2, 0.3, 0.4]), np.ones((1, 4)), threshold=0.5
    )
    undefined = {name for name, values in only_no.items() if math.isnan(values[0])}
    assert undefined == {"auc", "pr_auc", "precision", "recall", "calibration"}
    one_class = multiclass_metrics(
        np.zeros(3, int), np.eye(3)[[0, 0, 0]], np.ones((1, 3)), classes="abc", top_k=2
    )
    assert math.isnan(one_class["recall:b"][0])
    assert one_class["accuracy"] == 1
    constant = regression_metrics(np.full(3, 2.0), np.array([1.0, 2, 3]), np.ones((1, 3)))
    assert math.isnan(constant["r2"][0])
    assert constant["mae"] == pytest.approx(2 / 3)


def test_the_metrics_that_are_announced_are_those_that_are_computed() -> None:
    classes = tuple("abcde")
    label = Label(column="y", dtype="bytes", problem="multiclass", classes=classes)
    found = multiclass_metrics(
        np.arange(5), np.eye(5) * 0.6 + 0.08, np.ones((1, 5)), classes=classes, top_k=3
    )
    assert found.keys() == metrics_of(label, settings()).keys()


def test_the_error_of_a_share_is_the_binomial_one() -> None:
    [found] = measure(draw(7, 2000), LABEL, settings(confidence={"replicates": 1000}))
    accuracy = found.candidate["accuracy"]
    assert accuracy.error == pytest.approx(
        math.sqrt(accuracy.value * (1 - accuracy.value) / 2000), rel=0.1
    )


def test_the_interval_holds_the_true_value_as_often_as_it_says() -> None:
    true = measure(draw(0, 200_000), LABEL, settings(confidence={"replicates": 20}))[0]
    names = ("auc", "log_loss", "recall", "calibration")
    held = dict.fromkeys(names, 0)
    held_change = 0
    for seed in range(1, 121):
        [found] = measure(draw(seed, 300), LABEL, settings(confidence={"replicates": 100}))
        for name in names:
            low, high = found.candidate[name].interval(0.95)
            held[name] += low <= true.candidate[name].value <= high
        low, high = found.change["auc"].interval(0.95)
        held_change += low <= 0 <= high
    for name, count in {**held, "change": held_change}.items():
        assert 0.88 * 120 <= count, name


def test_noise_alone_seldom_blocks_and_a_real_loss_is_found() -> None:
    asked = settings(
        slices=["town"],
        thresholds={"auc": {"min": 0.6, "max_loss": 0.0}},
        slice_thresholds={"town": {"auc": {"max_loss": 0.0}}},
        confidence={"replicates": 100},
    )
    blocked = blocked_by_point = found_worse = 0
    trials = 60
    for seed in range(trials):
        scores = draw(seed, 800, num_slices=5)
        slices = measure(scores, LABEL, asked)
        blocked += not decide(slices, asked, metrics_of(LABEL, asked), status="compared").blessed
        blocked_by_point += any(item.change["auc"].value < 0 for item in slices)
        noisy = np.random.default_rng(seed).permutation(scores.predictions["candidate"])
        in_town = scores.columns["town"].codes == 2
        worse = np.where(in_town, noisy, scores.predictions["candidate"])
        spoiled = Scores(
            labels=scores.labels,
            weights=scores.weights,
            predictions={**scores.predictions, "candidate": worse},
            columns=scores.columns,
        )
        slices = measure(spoiled, LABEL, asked)
        decision = decide(slices, asked, metrics_of(LABEL, asked), status="compared")
        found_worse += "auc on town=2" in decision.reason
    # At the level of 0.95, 1.5 of 60; a comparison of the bare values would block nearly all.
    assert blocked <= 5
    assert blocked_by_point > 0.9 * trials
    assert found_worse > 0.95 * trials


def test_a_model_that_is_noise_is_not_blessed_by_luck_where_a_proof_is_asked_for() -> None:
    asked = settings(
        thresholds={"auc": {"min": 0.5}},
        not_shown={"value": "refuse"},
        confidence={"replicates": 100},
    )
    blessed = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        scores = Scores(
            labels=random.integers(0, 2, 60),
            weights=np.ones(60),
            predictions={"candidate": random.random(60)},
            columns={},
        )
        found = measure(scores, LABEL, asked)
        blessed += decide(found, asked, metrics_of(LABEL, asked)).blessed
    assert blessed <= 5


def test_many_rows_are_sampled_and_the_error_is_still_that_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores = draw(3, 8000)
    [whole] = measure(scores, LABEL, settings())
    monkeypatch.setattr(measuring, "MAX_ROWS", 1000)
    [sampled] = measure(scores, LABEL, settings())
    assert sampled.candidate["auc"].value == whole.candidate["auc"].value
    assert sampled.candidate["auc"].error == pytest.approx(whole.candidate["auc"].error, rel=0.35)


def test_the_same_rows_give_the_same_interval() -> None:
    assert measure(draw(1), LABEL, settings()) == measure(draw(1), LABEL, settings())


def test_a_perfect_share_of_few_rows_is_not_certain() -> None:
    scores = Scores(
        labels=np.array([0, 1] * 10),
        weights=np.ones(20),
        predictions={"candidate": np.array([0.1, 0.9] * 10)},
        columns={},
    )
    [found] = measure(scores, LABEL, settings())
    assert found.candidate["accuracy"].interval(0.95) == (pytest.approx(0.9, abs=0.01), 1)
    assert math.isnan(found.candidate["auc"].error)


def test_an_answer_that_is_no_number_spoils_every_metric() -> None:
    scores = draw(1)
    scores.predictions["candidate"][3] = math.inf
    [found] = measure(scores, LABEL, settings())
    assert all(math.isnan(estimate.value) for estimate in found.candidate.values())
    assert not math.isnan(found.baseline["auc"].value)

"""Real models, judged by the real executor: every kind of problem, and what must be refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.errors import NodeFailed
from components.evaluation.settings import EvaluationSettings, Threshold
from components.features import Problem
from tests.unit.components.evaluation.tiny_evaluation import (
    CLASSES,
    Answer,
    Columns,
    Judged,
    Rows,
    data_spec,
    judge,
    make_rows,
    sigmoid,
    write_examples,
    write_model,
)

Split = tuple[Rows, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evaluation")


@pytest.fixture(scope="module")
def split(folder: Path) -> Callable[[Problem], Split]:
    made: dict[Problem, Split] = {}

    def make(problem: Problem) -> Split:
        if problem not in made:
            rows = make_rows(problem)
            made[problem] = rows, write_examples(rows, data_spec(problem), folder / problem)
        return made[problem]

    return make


@pytest.fixture(scope="module")
def weighted(folder: Path, split: Callable[[Problem], Split]) -> Judged:
    """A weighted binary model with a baseline, a crossed slice and a metric of its own."""
    spec = data_spec("binary", weight="importance")
    settings = EvaluationSettings.model_validate(
        {
            "slices": ["group", ["group", "hour"]],
            "metrics": {"weight_sum": f"{__name__}:weight_sum"},
            "thresholds": {"auc": {"min": 0.7, "max_loss": 0.05}},
            "slice_thresholds": {"every": {"log_loss": {"max_loss": 0.1}}},
        }
    )
    return judge(
        folder / "weighted",
        split("binary")[1],
        spec,
        settings,
        write_model(folder / "candidate", spec, sigmoid(2.0), identity=11),
        write_model(folder / "baseline", spec, sigmoid(1.0), identity=10),
    )


def weight_sum(labels: np.ndarray, predictions: np.ndarray, weights: np.ndarray) -> float:
    assert len(labels) == len(predictions)
    return float(weights.sum())


def test_a_good_model_is_blessed_as_tfx_says_it(weighted: Judged) -> None:
    assert weighted.blessed == 1
    assert weighted.reason == weighted.record["decision"]["reason"]
    assert (Path(weighted.blessing.uri) / "BLESSED").is_file()
    assert weighted.blessing.get_int_custom_property("current_model_id") == 11
    assert weighted.blessing.get_int_custom_property("baseline_model_id") == 10
    assert weighted.record["baseline"]["status"] == "compared"


def test_rows_count_by_their_weight(weighted: Judged, split: Callable[[Problem], Split]) -> None:
    from sklearn.metrics import log_loss, roc_auc_score

    rows, _ = split("binary")
    probability = 1 / (1 + np.exp(-2 * rows.x.astype(float)))
    expected = {
        "auc": roc_auc_score(rows.label, probability, sample_weight=rows.weight),
        "log_loss": log_loss(rows.label, probability, sample_weight=rows.weight),
        "accuracy": np.average((probability > 0.5) == rows.label, weights=rows.weight),
    }
    for name, value in expected.items():
        assert weighted.value(name) == pytest.approx(value, abs=1e-6), name
    assert weighted.value("weight_sum") == rows.weight.sum()
    counts = weighted.record["plots"]["candidate"]["confusion"]["counts"]
    assert np.sum(counts) == pytest.approx(rows.weight.sum())


def test_slices_are_by_value_and_by_values_together(
    weighted: Judged, split: Callable[[Problem], Split]
) -> None:
    rows, _ = split("binary")
    is_there = np.arange(600) % 50 != 0
    for name, chosen in {
        "group=b": (rows.group == "b") & is_there,
        "group=a, hour=1": (rows.group == "a") & (rows.hour == 1) & is_there,
    }.items():
        assert weighted.slice(name)["num_examples"] == chosen.sum()
        assert weighted.value("weight_sum", name) == rows.weight[chosen].sum()
    assert weighted.slice("group=a, hour=1")["slice"] == {"group": "a", "hour": "1"}
    assert sum(item["name"].startswith("group=") for item in weighted.record["slices"]) == 3 + 6


def test_a_small_slice_is_not_judged(weighted: Judged) -> None:
    [row] = [row for row in weighted.record["decision"]["rows"] if row["slice"] == "group=c"]
    assert row["verdict"] == "not judged"
    assert not row["blocks"]
    assert str(weighted.slice("group=c")["num_examples"]) in row["why"]


def test_the_change_has_an_interval_narrower_than_that_of_either_model(weighted: Judged) -> None:
    metric = weighted.slice("all examples")["metrics"]["accuracy"]
    width = {key: value["high"] - value["low"] for key, value in metric.items()}
    assert metric["change"]["value"] == pytest.approx(
        metric["candidate"]["value"] - metric["baseline"]["value"]
    )
    assert 0 < width["change"] + 1e-12
    assert width["change"] < width["candidate"]


def test_the_column_that_decides_is_the_important_one(weighted: Judged) -> None:
    ranked = weighted.record["importance"]
    assert ranked[0]["feature"] == "x"
    assert ranked[0]["low"] > 0.1
    assert {item["loss"] for item in ranked[1:]} == {0.0}


def test_tfma_reads_the_evaluation(weighted: Judged) -> None:
    import tensorflow_model_analysis as tfma

    result = tfma.load_eval_result(str(weighted.folder), model_name="candidate")
    overall = dict(result.slicing_metrics)[()][""][""]
    assert overall["auc"]["boundedValue"]["value"] == weighted.value("auc")
    assert tfma.load_validation_result(str(weighted.folder)).validation_ok
    assert len(result.slicing_metrics) == len(weighted.record["slices"])


def test_what_a_summary_needs_is_on_the_artifact(weighted: Judged) -> None:
    metrics = json.loads(weighted.evaluation.get_string_custom_property("candidate_metrics"))
    assert metrics["example_count"] == 600
    assert metrics["auc"] == weighted.value("auc")
    assert "auc" in json.loads(weighted.evaluation.get_string_custom_property("baseline_metrics"))


def test_nothing_but_the_evaluation_is_left(weighted: Judged) -> None:
    assert not [path.name for path in weighted.folder.iterdir() if path.name.startswith((".", "r"))]


def multiclass(columns: Columns) -> tf.Tensor:
    centres = tf.constant([-1.0, 0.0, 1.0, 2.0])
    return tf.nn.softmax(-2 * tf.square(columns["x"][:, tf.newaxis] - centres))


@pytest.mark.parametrize(
    ("problem", "answer", "thresholds", "metrics"),
    [
        (
            "multiclass",
            multiclass,
            {"accuracy": Threshold(min=0.4), "recall:green": Threshold(min=0.3)},
            {"accuracy", "top_3", "log_loss"}
            | {
                f"{kind}:{name}"
                for kind in ("precision", "recall", "auc")
                for name in CLASSES["multiclass"]
            },
        ),
        (
            "regression",
            lambda columns: 3 * columns["x"][:, tf.newaxis],
            {"rmse": Threshold(max=1.2)},
            {"rmse", "mae", "r2"},
        ),
    ],
)
def test_every_problem_is_judged(
    folder: Path,
    split: Callable[[Problem], Split],
    problem: Problem,
    answer: Answer,
    thresholds: dict[str, Threshold],
    metrics: set[str],
) -> None:
    from sklearn import metrics as oracle

    spec, (rows, examples) = data_spec(problem), split(problem)
    judged = judge(
        folder / f"judged {problem}",
        examples,
        spec,
        EvaluationSettings(slices=(("group",),), thresholds=thresholds),
        write_model(folder / f"model {problem}", spec, answer, identity=1),
    )
    assert judged.blessed == 1, judged.reason
    assert judged.slice("all examples")["metrics"].keys() == metrics
    assert judged.record["baseline"]["status"] == "none"
    assert judged.record["importance"][0]["feature"] == "x"
    scores = answer({"x": tf.constant(rows.x)}).numpy().astype(float)
    if problem == "regression":
        expected = {
            "rmse": oracle.root_mean_squared_error(rows.label, scores[:, 0]),
            "mae": oracle.mean_absolute_error(rows.label, scores[:, 0]),
            "r2": oracle.r2_score(rows.label, scores[:, 0]),
        }
        plots = judged.record["plots"]["candidate"]["residuals"]
        assert len(plots["predicted_vs_actual"]) == 500
        assert sum(bar[2] for bar in plots["histogram"]) == 600
    else:
        expected = {
            "accuracy": oracle.accuracy_score(rows.label, scores.argmax(1)),
            "top_3": oracle.top_k_accuracy_score(rows.label, scores, k=3),
            "log_loss": oracle.log_loss(rows.label, scores / scores.sum(1, keepdims=True)),
            "recall:green": oracle.recall_score(
                rows.label, scores.argmax(1), labels=[1], average="macro"
            ),
            "auc:blue": oracle.roc_auc_score(rows.label == 2, scores[:, 2]),
        }
        matrix = judged.record["plots"]["candidate"]["confusion"]
        assert matrix["labels"] == list(CLASSES["multiclass"])
        assert matrix["counts"] == oracle.confusion_matrix(rows.label, scores.argmax(1)).tolist()
    for name, value in expected.items():
        assert judged.value(name) == pytest.approx(value, abs=1e-5), name


def test_a_model_that_is_worse_on_a_slice_is_refused(
    folder: Path, split: Callable[[Problem], Split]
) -> None:
    """Over all rows it is as good as before: only the slice shows what it lost."""
    spec = data_spec("binary")

    def backwards_on_b(columns: Columns) -> tf.Tensor:
        slope = tf.where(columns["group"] == b"b", -2.0, 2.0)
        return tf.sigmoid(slope * columns["x"])[:, tf.newaxis]

    judged = judge(
        folder / "worse",
        split("binary")[1],
        spec,
        EvaluationSettings.model_validate(
            {
                "slices": ["group"],
                "importance": False,
                "thresholds": {"auc": {"min": 0.55}},
                "slice_thresholds": {"group": {"auc": {"max_loss": 0.05}}},
            }
        ),
        write_model(folder / "backwards", spec, backwards_on_b, identity=21),
        write_model(folder / "before", spec, sigmoid(2.0), identity=20),
    )
    assert judged.blessed == 0
    assert (Path(judged.blessing.uri) / "NOT_BLESSED").is_file()
    assert judged.reason.startswith("auc on group=b: changed by -0.")
    verdicts = {row["slice"]: row["verdict"] for row in judged.record["decision"]["rows"]}
    assert verdicts == {
        "all examples": "met",
        "group=a": "met",
        "group=b": "missed",
        "group=c": "not judged",
    }
    assert judged.record["importance"] is None


def test_a_model_that_answers_nan_is_refused(
    folder: Path, split: Callable[[Problem], Split]
) -> None:
    spec = data_spec("binary")

    def nan_now_and_then(columns: Columns) -> tf.Tensor:
        answers = tf.sigmoid(2 * columns["x"])
        return tf.where(columns["x"] > 2.5, float("nan"), answers)[:, tf.newaxis]

    judged = judge(
        folder / "nan",
        split("binary")[1],
        spec,
        EvaluationSettings(slices=(), thresholds={"auc": Threshold(min=0.1)}),
        write_model(folder / "nan model", spec, nan_now_and_then, identity=31),
    )
    assert judged.blessed == 0
    assert judged.reason == "auc on all examples: is not a number"
    found = judged.slice("all examples")["metrics"]["auc"]["candidate"]
    assert found == {"value": None, "low": None, "high": None, "nan": True}
    assert judged.record["plots"] == {}
    assert judged.record["importance"] == []


def test_a_metric_that_fails_is_named(folder: Path, split: Callable[[Problem], Split]) -> None:
    spec = data_spec("binary")
    settings = EvaluationSettings.model_validate(
        {
            "slices": [],
            "metrics": {"profit": f"{__name__}:broken"},
            "thresholds": {"auc": {"min": 0}},
        }
    )
    model = write_model(folder / "any", spec, sigmoid(2.0), identity=41)
    with pytest.raises(NodeFailed, match=r"'profit' failed. ZeroDivisionError"):
        judge(folder / "failing", split("binary")[1], spec, settings, model)


def broken(labels: np.ndarray, predictions: np.ndarray, weights: np.ndarray) -> float:
    return len(labels) / 0

"""Thresholds mean what they say to TFMA."""

from __future__ import annotations

import pytest

from components.errors import ConfigError
from components.evaluation.settings import METRICS, EvaluationSettings, Threshold
from components.features import DataSpec, Feature, Label, Problem

CLASSES = {"binary": ("a", "b"), "multiclass": ("a", "b", "c"), "regression": ()}


def spec(problem: Problem) -> DataSpec:
    return DataSpec(
        features=(Feature(name="x", kind="numeric", dtype="float"),),
        label=Label(column="y", dtype="float", problem=problem, classes=CLASSES[problem]),
    )


def config(problem: Problem, **thresholds: Threshold):
    from components.evaluation.eval_config import make_eval_config

    settings = EvaluationSettings(slices=(("town",),), thresholds=thresholds)
    return make_eval_config(spec(problem), settings)


@pytest.mark.parametrize("problem", list(METRICS))
def test_every_metric_of_a_problem_is_computed(problem: Problem) -> None:
    names = [metric.class_name for metric in config(problem).metrics_specs[0].metrics]
    assert names == ["ExampleCount", *(name for name, _ in METRICS[problem].values())]


def test_overall_and_each_slice_are_asked_for() -> None:
    slices = config("binary").slicing_specs
    assert [list(item.feature_keys) for item in slices] == [[], ["town"]]


@pytest.mark.parametrize(("metric", "sign"), [("auc", -1), ("log_loss", 1)])
def test_max_loss_allows_a_change_for_the_worse_by_that_much(metric: str, sign: int) -> None:
    made = config("binary", **{metric: Threshold(max_loss=0.01)})
    [found] = [item for item in made.metrics_specs[0].metrics if metric in item.config]
    [overall] = found.per_slice_thresholds
    assert overall.threshold.change_threshold.absolute.value == pytest.approx(sign * 0.01)


def test_a_threshold_holds_for_all_examples_not_for_each_slice() -> None:
    made = config("binary", auc=Threshold(min=0.9))
    [found] = [item for item in made.metrics_specs[0].metrics if "auc" in item.config]
    assert not found.HasField("threshold")
    assert [list(item.feature_keys) for item in found.per_slice_thresholds[0].slicing_specs] == [[]]


def test_a_metric_of_another_problem_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"evaluation\.thresholds\.auc.*rmse"):
        config("regression", auc=Threshold(min=0.5))

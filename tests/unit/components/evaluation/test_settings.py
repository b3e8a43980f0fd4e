"""What a configuration may ask of the evaluation, and what it is told."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pydantic
import pytest

from components.errors import ConfigError
from components.evaluation.automatic import automatic_slices
from components.evaluation.checks import check
from components.evaluation.custom import hashes_of, load
from components.evaluation.settings import EvaluationSettings
from components.features import DataSpec, Feature, Label, Problem

CLASSES = {"binary": ("a", "b"), "multiclass": ("a", "b", "c"), "regression": ()}


def spec(problem: Problem = "binary") -> DataSpec:
    return DataSpec(
        features=(
            Feature(name="x", kind="numeric", dtype="float"),
            Feature(name="town", kind="categorical", dtype="bytes"),
            Feature(name="is_new", kind="boolean", dtype="bytes"),
            Feature(name="company", kind="categorical", dtype="bytes"),
            Feature(name="notes", kind="text", dtype="bytes", length=9),
        ),
        label=Label(column="y", dtype="float", problem=problem, classes=CLASSES[problem]),
    )


def settings(**values: Any) -> EvaluationSettings:
    return EvaluationSettings.model_validate({"slices": ["town", ["town", "is_new"]], **values})


def test_a_column_alone_is_a_group_of_one() -> None:
    assert settings().groups == (("town",), ("town", "is_new"))


@pytest.mark.parametrize(
    ("values", "problem", "says"),
    [
        ({"thresholds": {"auc": {"min": 0.5}}}, "regression", r"thresholds\.auc: .*rmse"),
        ({"thresholds": {"acuracy": {"min": 0.5}}}, "binary", "Did you mean 'accuracy'"),
        ({"thresholds": {"top_3": {"min": 0.5}}}, "multiclass", "no such metric"),
        ({"thresholds": {"recall:d": {"min": 0.5}}}, "multiclass", "no such metric"),
        ({"thresholds": {"calibration": {"max_loss": 0.1}}}, "binary", "min and max"),
        ({"slice_thresholds": {"towm": {"auc": {"min": 0}}}}, "binary", "Did you mean 'town'"),
        ({"slice_thresholds": {"is_new=yes": {"auc": {"min": 0}}}}, "binary", "no such slice"),
        ({"slice_thresholds": {"every": {"rmse": {"max": 1}}}}, "binary", r"every\.rmse"),
        ({"slices": ["notes"]}, "binary", "'notes' is of kind text"),
        ({"metrics": {"auc": "a.b:c"}}, "binary", "already"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    values: dict[str, Any], problem: Problem, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        check(settings(**values), spec(problem))


@pytest.mark.parametrize("name", ["every", "town", "town=A, B", "town, is_new", "town=A, is_new=b"])
def test_a_slice_is_named_by_columns_or_by_values(name: str) -> None:
    check(settings(slice_thresholds={name: {"auc": {"min": 0.5}}}), spec())


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"thresholds": {"auc": {}}}, "needs min"),
        ({"thresholds": {"auc": {"min": 0.9, "max": 0.1}}}, "above max"),
        ({"thresholds": {"auc": {"max_loss": 0.9, "max_loss_ratio": 0.1}}}, "keep one"),
        ({"slices": [[]]}, "all examples"),
        ({"slices": "town"}, "neither auto nor a list"),
        ({"slices": [7]}, "7 is neither a column"),
        ({"slices": [["town", "town"]]}, "twice"),
        ({"metrics": {"profit": "not a function"}}, "pattern"),
    ],
)
def test_values_that_make_no_sense_are_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=says):
        settings(**values)


def test_small_categories_are_sliced_by_unasked() -> None:
    assert automatic_slices(spec(), {"x": 2, "town": 7, "is_new": 2, "company": 11}) == (
        ("town",),
        ("is_new",),
    )
    # Twenty slices are enough, whatever the columns.
    assert automatic_slices(spec(), {"town": 10, "is_new": 2, "company": 9}) == (
        ("town",),
        ("is_new",),
    )
    assert automatic_slices(spec(), {"town": 1, "is_new": None, "company": 10}) == (("company",),)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file = tmp_path / "own_evaluation_metrics.py"
    file.write_text("def profit(labels, predictions, weights):\n    return 1.0\n")
    return file


def test_a_metric_of_ones_own_is_found_without_running_its_file(module: Path) -> None:
    asked = settings(metrics={"profit": f"{module.stem}:profit"})
    before = hashes_of(asked)
    module.write_text(module.read_text() + "raise RuntimeError('run')\n")
    assert hashes_of(asked) != before
    with pytest.raises(ConfigError, match=r"metrics\.profit.*RuntimeError: run"):
        load(asked)


def test_a_metric_of_ones_own_that_is_not_there_is_named(module: Path) -> None:
    with pytest.raises(ConfigError, match=r"metrics\.cost: .*has no function cost"):
        hashes_of(settings(metrics={"cost": f"{module.stem}:cost"}))
    with pytest.raises(ConfigError, match="there is no module no_such_module"):
        hashes_of(settings(metrics={"cost": "no_such_module:cost"}))


def test_a_metric_of_ones_own_is_loaded(module: Path) -> None:
    found = load(settings(metrics={"profit": {"function": f"{module.stem}:profit"}}))
    assert found["profit"](None, None, None) == 1.0

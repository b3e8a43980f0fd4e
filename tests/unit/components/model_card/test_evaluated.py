"""The Evaluator's file is read, with what is not known in it as None."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.errors import NodeFailed
from components.model_card.evaluated import read_evaluation
from components.model_card.files import EVALUATION_FILE
from tests.unit.components.model_card.evaluation_cases import evaluation


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_all_problems_are_read(problem: str, tmp_path: Path) -> None:
    (tmp_path / EVALUATION_FILE).write_text(json.dumps({**evaluation(problem), "a later key": 1}))
    found = read_evaluation(tmp_path)
    assert found.problem == problem
    assert found.slices[0].name == "all examples"
    assert found.plots.baseline is not None


def test_metrics_of_a_class_are_told_from_those_of_all(tmp_path: Path) -> None:
    (tmp_path / EVALUATION_FILE).write_text(
        json.dumps(evaluation("multiclass", classes=["a", "b:c", "d"]))
    )
    found = read_evaluation(tmp_path)
    assert found.class_of("recall:b:c") == ("recall", "b:c")
    assert found.class_of("accuracy") is None
    assert found.class_of("recall:unknown") is None


def test_a_file_that_is_not_there_or_not_one_is_told(tmp_path: Path) -> None:
    with pytest.raises(NodeFailed, match="cannot be read"):
        read_evaluation(tmp_path)
    (tmp_path / EVALUATION_FILE).write_text(json.dumps({**evaluation(), "num_examples": "many"}))
    with pytest.raises(NodeFailed, match="num_examples"):
        read_evaluation(tmp_path)
    (tmp_path / EVALUATION_FILE).write_text("{")
    with pytest.raises(NodeFailed, match="no evaluation"):
        read_evaluation(tmp_path)

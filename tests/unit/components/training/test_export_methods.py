"""What TF Serving's Classify and Regress are asked: signatures with the names that they expect."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.features import Problem
from components.training.export import export
from tests.unit.components.training.datasets import Dataset, serialized
from tests.unit.components.training.exported import Exported, untrained


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_classify_and_regress_answer_as_the_default_signature(
    datasets: dict[str, Dataset], tmp_path: Path, problem: Problem
) -> None:
    dataset = datasets[problem]
    learner = untrained(dataset)
    learner.head.fit([np.array([[0.0], [1.0]], np.float32)])
    export(learner, dataset.spec, transform_graph=str(dataset.graph), directory=tmp_path / "model")
    model = Exported(dataset, learner, tmp_path / "model")
    rows = [serialized(row) for row in dataset.raw[:5]]
    default = model.ask("serving_default", examples=rows)
    if problem == "regression":
        answer = model.ask("regress", inputs=rows)
        assert set(answer) == {"outputs"}
        assert answer["outputs"].shape == (5, 1)
        np.testing.assert_array_equal(answer["outputs"], default["prediction"])
        assert "classify" not in model.loaded.signatures
    else:
        answer = model.ask("classify", inputs=rows)
        assert set(answer) == {"classes", "scores"}
        assert answer["classes"].tolist() == default["classes"].tolist()
        np.testing.assert_array_equal(answer["scores"], default["scores"])
        assert "regress" not in model.loaded.signatures

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from components.errors import NodeFailed
from components.features import Label
from components.training.learner import Learner, make_learner
from components.training.model import InputShape
from components.training.settings import TrainingSettings

LABELS = {
    "binary": Label(column="y", dtype="int", problem="binary", classes=("0", "1")),
    "multiclass": Label(column="y", dtype="int", problem="multiclass", classes=("0", "1", "2")),
    "regression": Label(column="y", dtype="float", problem="regression"),
}
MIXED = InputShape(numeric_width=3, num_slots=2, num_ids=20)


def learner(problem: str = "binary", shape: InputShape = MIXED, **settings: Any) -> Learner:
    return make_learner(TrainingSettings(**settings), LABELS[problem], shape)


def features(shape: InputShape, rows: int) -> dict[str, np.ndarray]:
    columns = {
        "numeric": np.ones((rows, shape.numeric_width), np.float32),
        "categorical": np.ones((rows, shape.num_slots), np.int32),
    }
    return {name: column for name, column in columns.items() if column.shape[1]}


@pytest.mark.parametrize("model", ["wide_deep", "linear"])
@pytest.mark.parametrize(
    ("problem", "units"), [("binary", 1), ("multiclass", 3), ("regression", 1)]
)
@pytest.mark.parametrize("shape", [MIXED, InputShape(3, 0, 0), InputShape(0, 2, 20)])
def test_every_model_answers_every_problem_from_any_columns(
    model: str, problem: str, units: int, shape: InputShape
) -> None:
    trained = learner(problem, shape, model=model)
    outputs = trained.model(features(shape, rows=7))
    assert outputs.shape == (7, units)
    assert np.isfinite(trained.head.scores(outputs)).all()


def test_the_seed_decides_the_first_weights() -> None:
    first, same, other = (learner(seed=seed).values() for seed in (5, 5, 6))
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_layers_of_one_shape_begin_with_different_weights() -> None:
    model = learner(hidden_units=(16, 16, 16)).model
    second, third = (model.get_layer(f"hidden_{i}").kernel.numpy() for i in (1, 2))
    assert not np.array_equal(second, third)


def test_values_restore_everything() -> None:
    source, target = learner("regression", seed=1, dropout=0.5), learner("regression", dropout=0.5)
    source.head.fit([np.array([3.0, 5.0], np.float32)])
    source.optimizer.iterations.assign(17)
    target.restore(source.values())
    for restored, original in zip(target.variables, source.variables, strict=True):
        np.testing.assert_array_equal(restored.numpy(), original.numpy())


@pytest.mark.parametrize(
    ("decay", "halfway", "end"), [("none", 0.1, 0.1), ("linear", 0.05, 0), ("cosine", 0.05, 0)]
)
def test_the_learning_rate_decays_over_the_steps(decay: str, halfway: float, end: float) -> None:
    optimizer = learner(learning_rate=0.1, decay=decay, steps=100).optimizer
    for step, expected in [(0, 0.1), (50, halfway), (100, end)]:
        optimizer.iterations.assign(step)
        assert float(optimizer.learning_rate) == pytest.approx(expected, abs=1e-6)


def test_weights_that_are_not_finite_are_found() -> None:
    broken = learner()
    broken.require_finite(3)
    broken.model.get_layer("hidden_0").bias.assign(np.full(64, np.nan))
    with pytest.raises(NodeFailed, match=r"hidden_0.* not finite after step 3"):
        broken.require_finite(3)

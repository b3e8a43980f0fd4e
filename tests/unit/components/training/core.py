"""A small learner and rows for it, to try the training core on without files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.features import Label
from components.training.batches import Call, Position
from components.training.data import Rows
from components.training.learner import Learner, make_learner
from components.training.models.shape import InputShape
from components.training.settings import TrainingSettings
from components.training.step import RunSteps, Steps
from components.training.strategy import Placement

SHAPE = InputShape(numeric_width=3, num_slots=2, num_ids=20)
NUMBERS = InputShape(numeric_width=3)
LABELS = {
    "binary": Label(column="y", dtype="int", problem="binary", classes=("no", "yes")),
    "multiclass": Label(column="y", dtype="int", problem="multiclass", classes=("a", "b", "c")),
    "regression": Label(column="y", dtype="float", problem="regression"),
}
CPU = Placement(None, "/CPU:0", "CPU")


class Trial:
    """A learner with its settings; calls to `run` go on from one another."""

    def __init__(
        self,
        problem: str = "binary",
        shape: InputShape = SHAPE,
        *,
        total_steps: int = 100,
        **settings: Any,
    ) -> None:
        self.settings = TrainingSettings(**settings)
        self.learner: Learner = make_learner(
            self.settings, LABELS[problem], shape, CPU, total_steps=total_steps
        )

    def run_steps(self, call: Call, **options: Any) -> RunSteps:
        """The compiled steps for calls such as `call`."""
        num_steps, batch_size = call.index.shape
        return RunSteps(
            self.learner,
            self.settings.optimizer,
            call_steps=num_steps,
            batch_size=batch_size,
            **options,
        )

    def run(self, call: Call, **options: Any) -> Steps:
        """Makes the steps of `call`."""
        return self.run_steps(call, **options)(call)

    def layer(self, name: str) -> list[np.ndarray]:
        """The weights of a layer."""
        return [w.numpy() for w in self.learner.model.get_layer(name).weights]

    def weights(self) -> dict[str, np.ndarray]:
        """All weights of the network, by their paths."""
        return {w.path: w.numpy() for w in self.learner.model.weights}


def table(num_rows: int, problem: str = "binary", shape: InputShape = SHAPE, seed: int = 0) -> Rows:
    """Rows whose label follows from their first number."""
    random = np.random.default_rng(seed)
    numeric = random.normal(size=(num_rows, 3)).astype(np.float32)
    first = numeric[:, 0]
    rows = {"numeric": numeric}
    if shape.num_slots:
        rows["categorical"] = random.integers(0, 20, (num_rows, 2), dtype=np.int32)
    if problem == "regression":
        rows["label"] = (3 * first + 7).astype(np.float32)
    else:
        borders = [0.0] if problem == "binary" else [-0.5, 0.5]
        rows["label"] = np.digitize(first, borders).astype(np.int32)
    return rows


def in_order(rows: Rows, num_steps: int, batch_size: int = 16) -> Call:
    """A call of the rows one after the other, from the first on again at the end."""
    index = np.arange(num_steps * batch_size) % len(rows["label"])
    return Call(rows, index.astype(np.int32).reshape(num_steps, batch_size), Position())


def own_module(
    patch: pytest.MonkeyPatch, folder: Path, source: str, name: str = "modelled_by_a_test"
) -> str:
    """Writes a module of one's own where Python finds it; returns its name."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(source)
    patch.syspath_prepend(str(folder))
    patch.delitem(sys.modules, name, raising=False)
    return name


def assert_same(values: list[np.ndarray], expected: list[np.ndarray]) -> None:
    """Bitwise."""
    for value, other in zip(values, expected, strict=True):
        assert value.dtype == other.dtype
        np.testing.assert_array_equal(value, other)

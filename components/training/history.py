"""The learning curve."""

from __future__ import annotations

import json
from pathlib import Path

import pydantic

from components.training.files import write_atomically


class Point(pydantic.BaseModel):
    """One point of the curve: `loss` is the mean over the steps of the call that ended here."""

    step: int
    loss: float
    learning_rate: float


class Evaluation(pydantic.BaseModel):
    """The metrics on the eval split after `step` steps, such as `loss`, `auc`, `rmse`, `rows`."""

    step: int
    metrics: dict[str, int | float]


class History(pydantic.BaseModel):
    """What is worth knowing about a training afterwards. It grows as the training goes on."""

    curve: list[Point] = []
    evaluations: list[Evaluation] = []

    def write(self, path: Path) -> None:
        """Writes it as JSON: `{"curve": [...], "evaluations": [...]}`."""
        write_atomically(path, json.dumps(self.model_dump(), indent=1).encode())

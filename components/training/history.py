"""The learning curve."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pydantic

from components.training.files import write_atomically


class _Record(pydantic.BaseModel):
    """Written without what was not measured."""

    @pydantic.model_serializer(mode="wrap")
    def _measured(self, handler: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value is not None}


class Point(_Record):
    """One point of the curve.

    Attributes:
        step: how many steps were done.
        loss: the mean over the steps of the call that ended here.
        learning_rate: of the step after.
        examples_per_s: rows trained on in a second, since this process began to.
        gradient_norm: the mean over the call's steps of the norm of all gradients together.
        weight_norm: the norm of all weights together.
        elapsed_s: the seconds of training so far, those of killed processes up to the checkpoint
            that was gone on from included.
    """

    step: int
    loss: float
    learning_rate: float
    examples_per_s: float | None = None
    gradient_norm: float | None = None
    weight_norm: float | None = None
    elapsed_s: float | None = None


class Evaluation(_Record):
    """The metrics on the eval split after `step` steps, such as `loss`, `auc`, `rmse`, `rows`.

    Attributes:
        step: how many steps were done.
        metrics: by name.
        took_s: the seconds that the evaluation took.
    """

    step: int
    metrics: dict[str, int | float]
    took_s: float | None = None


class History(pydantic.BaseModel):
    """What is worth knowing about a training afterwards. It grows as the training goes on."""

    curve: list[Point] = []
    evaluations: list[Evaluation] = []

    @property
    def elapsed_s(self) -> float:
        """The seconds of training up to the last point; 0 where none was measured."""
        return next((p.elapsed_s for p in reversed(self.curve) if p.elapsed_s is not None), 0.0)

    @property
    def last_step(self) -> int:
        """The step of the last point; 0 without one."""
        return self.curve[-1].step if self.curve else 0

    def write(self, path: Path) -> None:
        """Writes it as JSON: `{"curve": [...], "evaluations": [...]}`."""
        write_atomically(path, json.dumps(self.model_dump(), indent=1).encode())

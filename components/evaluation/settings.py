"""Settings of the evaluation: slices, and the thresholds a model must pass to be pushed."""

from __future__ import annotations

import pydantic

from components.features import Problem
from components.settings import Settings


class Threshold(Settings):
    """The bounds of one metric, overall.

    The candidate's value must lie between `min` and `max`, and may be worse than the baseline's by
    `max_loss` at most. Which way is worse is known for each metric.
    """

    min: float | None = None
    max: float | None = None
    max_loss: float | None = pydantic.Field(default=None, ge=0)

    @pydantic.model_validator(mode="after")
    def _says_something(self) -> Threshold:
        if self.min is None and self.max is None and self.max_loss is None:
            raise ValueError("a threshold needs min, max or max_loss")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


# Metric name to (TFMA class, whether higher is better).
METRICS: dict[Problem, dict[str, tuple[str, bool]]] = {
    "binary": {
        "auc": ("AUC", True),
        # TFMA's own BinaryCrossEntropy is NaN for a certain prediction; that of Keras clips.
        "log_loss": ("BinaryCrossentropy", False),
        "accuracy": ("BinaryAccuracy", True),
    },
    "multiclass": {
        "accuracy": ("SparseCategoricalAccuracy", True),
        "log_loss": ("SparseCategoricalCrossentropy", False),
    },
    "regression": {
        "rmse": ("RootMeanSquaredError", False),
        "mae": ("MeanAbsoluteError", False),
    },
}


class EvaluationSettings(Settings):
    """What decides whether a model is good enough.

    `slices` lists the groups of columns to compute every metric by; `thresholds` maps a metric of
    the problem (see `METRICS`) to its bounds. Without thresholds of one's own, the candidate must
    beat a constant prediction and lose little against the model before it.
    """

    slices: tuple[tuple[str, ...], ...] = ()
    thresholds: dict[str, Threshold] = pydantic.Field(default_factory=dict)

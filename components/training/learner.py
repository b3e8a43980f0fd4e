"""What training changes: a network, its head, and the optimizer's state."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from components.errors import NodeFailed
from components.features import Label
from components.training.heads import Head, make_head
from components.training.model import InputShape, build_model
from components.training.settings import TrainingSettings


@dataclasses.dataclass(frozen=True)
class Learner:
    """A model in training."""

    model: keras.Model
    head: Head
    optimizer: keras.optimizers.Optimizer

    @property
    def model_variables(self) -> list[tf.Variable]:
        """What the trained model consists of."""
        return [v.value for v in self._weights]

    @property
    def variables(self) -> list[tf.Variable]:
        """Everything a step reads or changes, the seeds of random layers included."""
        return [
            v.value
            for v in [*self.model.variables, *self.head.variables, *self.optimizer.variables]
        ]

    @property
    def _weights(self) -> list[keras.Variable]:
        return [*self.model.weights, *self.head.variables]

    def values(self) -> list[np.ndarray]:
        """A copy of all `variables`."""
        return [variable.numpy() for variable in self.variables]

    def restore(self, values: list[np.ndarray]) -> None:
        """Sets all `variables` to what `values()` returned."""
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(value)

    def require_finite(self, step: int) -> None:
        """Checks the model's weights after `step` steps.

        Raises:
            NodeFailed: one of them is infinite or not a number.
        """
        for weights in self._weights:
            if not np.isfinite(weights.numpy()).all():
                raise NodeFailed(
                    f"Trainer: the weights {weights.path!r} are not finite after step {step}. "
                    "Lower training.learning_rate."
                )


def make_learner(settings: TrainingSettings, label: Label, shape: InputShape) -> Learner:
    """A learner before its first step, decided by `settings.seed` alone."""
    head = make_head(label)
    model = build_model(settings, shape, units=head.units)
    optimizer = keras.optimizers.Adam(_learning_rate(settings))
    optimizer.build(model.trainable_variables)
    return Learner(model, head, optimizer)


def _learning_rate(
    settings: TrainingSettings,
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    if settings.decay == "linear":
        return keras.optimizers.schedules.PolynomialDecay(
            settings.learning_rate, settings.steps, end_learning_rate=0.0
        )
    if settings.decay == "cosine":
        return keras.optimizers.schedules.CosineDecay(settings.learning_rate, settings.steps)
    return settings.learning_rate

"""What differs between problems: from the network's outputs to a loss and to scores."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf

from components.features import Label
from components.training.losses import RowLoss, check_classes, named_loss
from components.training.settings import LossSettings


class Head(Protocol):
    """The end of a model, for one kind of problem.

    Attributes:
        units: how many numbers the network puts out for a row.
        variables: constants learned from the data, not by gradients.
    """

    units: int
    variables: tuple[keras.Variable, ...]

    def losses(self, outputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """The loss of each row, float32 [batch], of `outputs` [batch, units], `labels` [batch]."""

    def weights(self, labels: tf.Tensor) -> tf.Tensor | None:
        """How much each row counts by its class, float32 [batch]; None if all count 1."""

    def scores(self, outputs: tf.Tensor) -> tf.Tensor:
        """What the model answers, float32 [batch, units]: probabilities, or the value."""

    def fit(self, labels: Iterable[np.ndarray]) -> None:
        """Sets `variables` from all training labels, given as arrays [rows]."""


class ClassHead:
    """Binary: one logit, of class index 1. Multiclass: one logit a class."""

    def __init__(self, label: Label, settings: LossSettings) -> None:
        """A head for the classes of `label`, weighed as `settings.class_weights` says."""
        check_classes(settings, label)
        self.units = 1 if label.problem == "binary" else len(label.classes)
        self._losses: RowLoss = named_loss(settings, label.problem)
        self._balanced = settings.class_weights == "balanced"
        self._weights: keras.Variable | None = None
        if settings.class_weights != "none":
            named = settings.class_weights if isinstance(settings.class_weights, dict) else {}
            initial = np.array([named.get(name, 1.0) for name in label.classes], np.float32)
            self._weights = keras.Variable(initial, trainable=False, name="class_weights")
        self.variables = (self._weights,) if self._weights is not None else ()

    def losses(self, outputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Cross-entropy in nats, or what the settings name."""
        return self._losses(labels, outputs)

    def weights(self, labels: tf.Tensor) -> tf.Tensor | None:
        """See `Head`."""
        return None if self._weights is None else tf.gather(self._weights.value, labels)

    def scores(self, outputs: tf.Tensor) -> tf.Tensor:
        """The probability of class 1, or of each class."""
        return tf.sigmoid(outputs) if self.units == 1 else tf.nn.softmax(outputs)

    def fit(self, labels: Iterable[np.ndarray]) -> None:
        """Weighs the classes so that all count the same; a class without rows keeps 1."""
        if self._weights is None or not self._balanced:
            return
        size = self._weights.shape[0]
        counts = sum(np.bincount(part, minlength=size) for part in labels)
        present = counts > 0
        balanced = np.sum(counts) / (np.sum(present) * np.maximum(counts, 1))
        self._weights.assign(np.where(present, balanced, 1.0).astype(np.float32))


class RegressionHead:
    """One value, learned in units of the training labels' standard deviation around their mean."""

    units = 1

    def __init__(self, settings: LossSettings) -> None:
        """A head with the loss that `settings` names."""
        self._losses: RowLoss = named_loss(settings, "regression")
        self._mean = keras.Variable(0.0, dtype="float32", trainable=False, name="label_mean")
        self._scale = keras.Variable(1.0, dtype="float32", trainable=False, name="label_scale")
        self.variables = (self._mean, self._scale)

    def losses(self, outputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """The squared error of the standardised label (1 is no better than the mean), or other."""
        return self._losses((labels - self._mean.value) / self._scale.value, outputs)

    def weights(self, labels: tf.Tensor) -> tf.Tensor | None:
        """There are no classes."""
        del labels
        return None

    def scores(self, outputs: tf.Tensor) -> tf.Tensor:
        """The value, in the label's own units."""
        return outputs * self._scale.value + self._mean.value

    def fit(self, labels: Iterable[np.ndarray]) -> None:
        """Sets mean and scale; a constant label has scale 1."""
        count, mean, squares = 0, 0.0, 0.0
        for part in labels:
            values = part.astype(np.float64)
            shift = float(values.mean()) - mean
            total = count + values.size
            squares += float(((values - values.mean()) ** 2).sum())
            squares += shift**2 * count * values.size / total
            mean += shift * values.size / total
            count = total
        self._mean.assign(mean)
        self._scale.assign(math.sqrt(squares / count) or 1.0)


def make_head(label: Label, settings: LossSettings | None = None) -> Head:
    """The head for the problem that `label` poses.

    Raises:
        ConfigError: the loss does not fit the problem, or a weighed class does not exist.
    """
    settings = settings or LossSettings()
    if label.problem == "regression":
        return RegressionHead(settings)
    return ClassHead(label, settings)

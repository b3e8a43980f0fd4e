"""What differs between problems: from the network's outputs to a loss and to scores."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf

from components.features import Label


class Head(Protocol):
    """The end of a model, for one kind of problem.

    Attributes:
        units: how many numbers the network puts out for a row.
        num_classes: how many classes the label has; 0 for regression.
        variables: constants learned from the data, not by gradients.
    """

    units: int
    num_classes: int
    variables: tuple[keras.Variable, ...]

    def loss(self, outputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """The mean loss, a float32 scalar, of `outputs` [batch, units] for `labels` [batch]."""

    def scores(self, outputs: tf.Tensor) -> tf.Tensor:
        """What the model answers, float32 [batch, units]: probabilities, or the value."""

    def fit(self, labels: Iterable[np.ndarray]) -> None:
        """Sets `variables` from all training labels, given as arrays [rows]."""


class _ClassHead:
    """What binary and multiclass heads share: nothing to learn from the labels alone."""

    variables: tuple[keras.Variable, ...] = ()

    def fit(self, labels: Iterable[np.ndarray]) -> None:
        """Nothing to set."""


class BinaryHead(_ClassHead):
    """One logit: of class index 1."""

    units = 1
    num_classes = 2

    def loss(self, outputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Binary cross-entropy in nats."""
        targets = tf.cast(labels, tf.float32)[:, tf.newaxis]
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(targets, outputs))

    def scores(self, outputs: tf.Tensor) -> tf.Tensor:
        """The probability of class 1."""
        return tf.sigmoid(outputs)


class MulticlassHead(_ClassHead):
    """One logit a class."""

    def __init__(self, num_classes: int) -> None:
        self.units = self.num_classes = num_classes

    def loss(self, outputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Categorical cross-entropy in nats."""
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, outputs)
        return tf.reduce_mean(losses)

    def scores(self, outputs: tf.Tensor) -> tf.Tensor:
        """The probability of each class."""
        return tf.nn.softmax(outputs)


class RegressionHead:
    """One value, learned in units of the training labels' standard deviation around their mean."""

    units = 1
    num_classes = 0

    def __init__(self) -> None:
        self._mean = keras.Variable(0.0, dtype="float32", trainable=False, name="label_mean")
        self._scale = keras.Variable(1.0, dtype="float32", trainable=False, name="label_scale")
        self.variables = (self._mean, self._scale)

    def loss(self, outputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """The mean squared error of the standardised label: 1 is no better than the mean."""
        targets = (labels - self._mean.value) / self._scale.value
        return tf.reduce_mean(tf.square(outputs - targets[:, tf.newaxis]))

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


def make_head(label: Label) -> Head:
    """The head for the problem that `label` poses."""
    if label.problem == "binary":
        return BinaryHead()
    if label.problem == "multiclass":
        return MulticlassHead(len(label.classes))
    return RegressionHead()

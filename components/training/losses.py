"""The losses, each of a row: of labels [batch] and outputs [batch, units] a float32 [batch]."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from components.errors import ConfigError
from components.features import Label, Problem
from components.training.functions import load_function
from components.training.settings import LossSettings

RowLoss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

# How much less a row counts that is already right; the paper's choice.
_FOCUS = 2.0


def named_loss(settings: LossSettings, problem: Problem) -> RowLoss:
    """The loss that `settings` names, for outputs that are logits, or standardised values.

    Raises:
        ConfigError: it does not fit the problem, or its function cannot be found.
    """
    if problem == "regression":
        if settings.label_smoothing:
            raise ConfigError("training.loss.label_smoothing: a regression has no classes.")
        if settings.class_weights != "none":
            raise ConfigError("training.loss.class_weights: a regression has no classes.")
    if ":" in settings.name:
        if settings.label_smoothing:
            raise ConfigError(
                f"training.loss.label_smoothing: {settings.name} is given the labels as they are; "
                "smooth them there, and leave this out."
            )
        function = load_function(settings.name, "training.loss.name")
        return lambda labels, outputs: tf.cast(function(labels, outputs), tf.float32)
    known = _REGRESSION if problem == "regression" else _CLASSES
    if settings.name not in known:
        raise ConfigError(
            f"training.loss.name: {settings.name} is no loss for a {problem} label. "
            f"It has: {', '.join(known)}."
        )
    return known[settings.name](settings, problem)


def check_classes(settings: LossSettings, label: Label) -> None:
    """Checks that every weighed class exists.

    Raises:
        ConfigError: one does not, or a weight is negative.
    """
    if not isinstance(settings.class_weights, dict):
        return
    for name, weight in settings.class_weights.items():
        if name not in label.classes:
            raise ConfigError(
                f"training.loss.class_weights: the label has no class {name!r}. "
                f"Its classes: {', '.join(label.classes[:20])}."
            )
        if weight < 0:
            raise ConfigError(f"training.loss.class_weights.{name}: {weight} is negative.")


def _cross_entropy(settings: LossSettings, problem: Problem) -> RowLoss:
    smoothing = settings.label_smoothing

    def binary(labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        targets = tf.cast(labels, tf.float32) * (1 - smoothing) + smoothing / 2
        return tf.nn.sigmoid_cross_entropy_with_logits(targets, outputs[:, 0])

    def multiclass(labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        if not smoothing:
            return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, outputs)
        num_classes = outputs.shape[-1]
        targets = tf.one_hot(labels, num_classes) * (1 - smoothing) + smoothing / num_classes
        return tf.nn.softmax_cross_entropy_with_logits(targets, outputs)

    return binary if problem == "binary" else multiclass


def _focal(settings: LossSettings, problem: Problem) -> RowLoss:
    """Cross-entropy times (1 - p)^2, p the probability of the right class.

    Source: Lin et al., Focal Loss for Dense Object Detection, 2017.
    """
    plain = _cross_entropy(settings, problem)

    def losses(labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        if problem == "binary":
            signs = 2 * tf.cast(labels, tf.float32) - 1
            right = tf.sigmoid(outputs[:, 0] * signs)
        else:
            right = tf.gather(tf.nn.softmax(outputs), labels, batch_dims=1)
        return (1 - right) ** _FOCUS * plain(labels, outputs)

    return losses


def _squared(settings: LossSettings, problem: Problem) -> RowLoss:
    del settings, problem
    return lambda labels, outputs: tf.square(outputs[:, 0] - labels)


def _absolute(settings: LossSettings, problem: Problem) -> RowLoss:
    del settings, problem
    return lambda labels, outputs: tf.abs(outputs[:, 0] - labels)


def _huber(settings: LossSettings, problem: Problem) -> RowLoss:
    """Squared up to one standard deviation of the label, then absolute."""
    del settings, problem
    return lambda labels, outputs: keras.losses.huber(labels[:, tf.newaxis], outputs)


_CLASSES: dict[str, Callable[[LossSettings, Problem], RowLoss]] = {
    "auto": _cross_entropy,
    "focal": _focal,
}
_REGRESSION: dict[str, Callable[[LossSettings, Problem], RowLoss]] = {
    "auto": _squared,
    "huber": _huber,
    "absolute": _absolute,
}

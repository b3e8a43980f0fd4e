"""What a step minimises: the head's loss, weighed by row, with extra losses and regularisation."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from components.errors import ConfigError
from components.features import LABEL, WEIGHT
from components.training.columns import Columns, inputs_of
from components.training.functions import load_function
from components.training.heads import Head
from components.training.losses import RowLoss
from components.training.models.function import MAIN
from components.training.settings import ExtraLoss, LossSettings


class Terms(NamedTuple):
    """Of some rows of a batch.

    Attributes:
        loss: the sum of their weighed losses, divided by the rows of the whole batch.
        penalty: what regularisation adds, for the whole batch.
    """

    loss: tf.Tensor
    penalty: tf.Tensor


class Objective:
    """A model's loss on rows."""

    def __init__(self, model: keras.Model, head: Head, settings: LossSettings) -> None:
        """The loss of `model`, whose main output `head` reads.

        Raises:
            ConfigError: an extra loss names an output that the model does not have, or a loss that
                does not exist.
        """
        self._model = model
        self._head = head
        self._l2 = settings.l2
        self._extra = [(extra, _extra_loss(extra)) for extra in settings.extra]
        outputs = model.output if isinstance(model.output, dict) else {MAIN: model.output}
        for extra in settings.extra:
            if extra.output not in outputs:
                raise ConfigError(
                    f"training.loss.extra: the model has no output {extra.output!r}. "
                    f"Its outputs: {', '.join(outputs)}."
                )

    def __call__(self, columns: Columns, present: tf.Tensor | None, num_rows: Any) -> Terms:
        """The loss of rows in training mode.

        Args:
            columns: prepared columns, label and weight included.
            present: float32 [rows], 0 for a row that does not count; None if all do.
            num_rows: how many rows of the whole batch do.

        Raises:
            ConfigError: the target of an extra loss is no column.
        """
        outputs = self._model(inputs_of(columns), training=True)
        named = outputs if isinstance(outputs, dict) else {MAIN: outputs}
        labels = columns[LABEL]
        losses = self._head.losses(named[MAIN], labels)
        class_weights = self._head.weights(labels)
        if class_weights is not None:
            losses *= class_weights
        for extra, loss in self._extra:
            losses += extra.weight * loss(self._target(extra, columns), named[extra.output])
        for weights in (columns.get(WEIGHT), present):
            if weights is not None:
                losses *= weights
        return Terms(tf.reduce_sum(losses) / num_rows, self._penalty())

    def _penalty(self) -> tf.Tensor:
        """The model's own regularisation losses, and ours."""
        terms = [tf.cast(loss, tf.float32) for loss in self._model.losses]
        if self._l2:
            matrices = [v.value for v in self._model.trainable_variables if len(v.shape) > 1]
            terms += [self._l2 * tf.nn.l2_loss(matrix) for matrix in matrices]
        return tf.add_n(terms) if terms else tf.constant(0.0)

    def _target(self, extra: ExtraLoss, columns: Columns) -> tf.Tensor:
        if extra.target not in columns:
            raise ConfigError(
                f"training.loss.extra.target: there is no transformed column {extra.target!r}. "
                f"There are: {', '.join(columns)}."
            )
        return columns[extra.target]


def main_output(outputs: Any) -> tf.Tensor:
    """The output that the head reads, of a model with one output or several."""
    return outputs[MAIN] if isinstance(outputs, dict) else outputs


def _extra_loss(extra: ExtraLoss) -> RowLoss:
    """A loss of each row, by Keras' name or a function of one's own."""
    if ":" in extra.name:
        function = load_function(extra.name, "training.loss.extra.name")
    else:
        try:
            found = keras.losses.get(extra.name)
        except ValueError as error:
            raise ConfigError(
                f"training.loss.extra.name: Keras has no loss {extra.name!r}; use its name in "
                "keras.losses, such as mean_squared_error, or package.module:function."
            ) from error
        # The class of a loss would average over the rows.
        function = found.call if isinstance(found, keras.losses.Loss) else found

    def losses(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        targets = tf.cast(targets, tf.float32)
        if len(targets.shape) < len(outputs.shape):
            targets = targets[:, tf.newaxis]
        each = tf.cast(function(targets, outputs), tf.float32)
        return tf.reduce_mean(tf.reshape(each, [tf.shape(each)[0], -1]), axis=1)

    return losses

"""What an export needs of a learner."""

from __future__ import annotations

from typing import Protocol

import keras
import tensorflow as tf

from components.training.heads import Head


class LearnerLike(Protocol):
    """A trained model."""

    @property
    def model(self) -> keras.Model:
        """The network."""

    @property
    def head(self) -> Head:
        """What follows it."""

    def scores(self, columns: dict[str, tf.Tensor]) -> tf.Tensor:
        """The model's answers to prepared columns without label and weight.

        Float32 [batch, units], in inference mode.
        """

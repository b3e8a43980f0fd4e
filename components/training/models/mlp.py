"""A perceptron over the numbers and an embedding of each categorical column."""

from __future__ import annotations

import keras

from components.training.models.blocks import Draft, classifier


def mlp(draft: Draft) -> keras.KerasTensor:
    """The perceptron alone."""
    return classifier(draft, [])

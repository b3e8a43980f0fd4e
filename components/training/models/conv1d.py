"""A network of convolutions over time, for text and series."""

from __future__ import annotations

import keras

from components.training.models.blocks import Draft, classifier
from components.training.models.sequences import conv1d_parts


def conv1d(draft: Draft) -> keras.KerasTensor:
    """Convolutions over each sequence, then the perceptron."""
    return classifier(draft, conv1d_parts(draft))

"""A small convolutional network for images."""

from __future__ import annotations

import keras

from components.training.models.blocks import Draft, classifier
from components.training.models.images import as_vector, convolution, halve, pixels
from components.training.models.sequences import conv1d_parts


def cnn(draft: Draft) -> keras.KerasTensor:
    """A convolution and a halving for each of `filters`, then the perceptron."""
    images = pixels(draft, scale=1 / 255, offset=0)
    for number, filters in enumerate(draft.settings.filters):
        images = halve(convolution(draft, images, filters, f"conv_{number}"))
    return classifier(draft, [as_vector(images), *conv1d_parts(draft)])

"""A network of VGG's blocks (Simonyan and Zisserman 2014, https://arxiv.org/abs/1409.1556).

With batch normalisation, without which the deep ones do not learn from random weights.
"""

from __future__ import annotations

import keras

from components.training.models.blocks import Draft, classifier
from components.training.models.images import as_vector, convolution, halve, pixels
from components.training.models.sequences import conv1d_parts


def vgg(draft: Draft) -> keras.KerasTensor:
    """Two convolutions and a halving for each of `filters`, then the perceptron."""
    images = pixels(draft, scale=1 / 255, offset=0)
    for number, filters in enumerate(draft.settings.filters):
        for letter in "ab":
            images = convolution(draft, images, filters, f"conv_{number}{letter}")
        images = halve(images)
    return classifier(draft, [as_vector(images), *conv1d_parts(draft)])

"""What the networks for images have in common."""

from __future__ import annotations

import keras

from components.features import IMAGE
from components.training.models.augmentation import Augmentation
from components.training.models.blocks import Draft
from components.training.models.settings import AugmentationSettings

# A map with more positions is averaged, as the first layer after it would have too many weights.
_MOST_POSITIONS = 64
# Keras' own 0.99 needs some 500 steps to forget what the averages began with.
MOMENTUM = 0.9


def pixels(draft: Draft, *, scale: float, offset: float) -> keras.KerasTensor:
    """The images [batch, height, width, channels], augmented, then scaled from 0 .. 255."""
    images = draft.inputs[IMAGE]
    if draft.settings.augmentation != AugmentationSettings():
        layer = Augmentation(
            draft.settings.augmentation, seed=next(draft.seeds), name="augmentation"
        )
        images = layer(images)
    return keras.layers.Rescaling(scale, offset, name="rescaling")(images)


def convolution(
    draft: Draft, images: keras.KerasTensor, filters: int, name: str
) -> keras.KerasTensor:
    """A 3 x 3 convolution, batch normalisation and ReLU; height and width stay."""
    layer = keras.layers.Conv2D(
        filters,
        3,
        padding="same",
        use_bias=False,  # The normalisation has one.
        kernel_initializer=keras.initializers.HeNormal(seed=next(draft.seeds)),
        name=name,
    )
    normal = keras.layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_norm")
    return keras.layers.ReLU()(normal(layer(images)))


def halve(images: keras.KerasTensor) -> keras.KerasTensor:
    """The largest value of each 2 x 2 pixels; a side of 1 stays."""
    return keras.layers.MaxPooling2D(2, padding="same")(images)


def as_vector(images: keras.KerasTensor) -> keras.KerasTensor:
    """A small map in full, of a large one each channel's mean: [batch, width]."""
    if images.shape[1] * images.shape[2] <= _MOST_POSITIONS:
        return keras.layers.Flatten()(images)
    return keras.layers.GlobalAveragePooling2D()(images)

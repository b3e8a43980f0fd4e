"""MobileNetV2 (Sandler et al. 2018, https://arxiv.org/abs/1801.04381), new or already trained."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import keras

from components.errors import ConfigError
from components.training.models.blocks import Draft, classifier
from components.training.models.images import MOMENTUM, pixels
from components.training.models.sequences import conv1d_parts

# The name of the body as a layer, for freeze.layers.
BODY = "mobilenet"
_SMALLEST_SIDE = 32
_SUFFIXES = (".weights.h5", ".h5", ".keras")


def mobilenet(draft: Draft) -> keras.KerasTensor:
    """The network without its own classifier, averaged over the image, then the perceptron.

    Raises:
        ConfigError: the images are too small, or the weights cannot be loaded.
    """
    assert draft.shape.image is not None
    height, width, channels = draft.shape.image
    if min(height, width) < _SMALLEST_SIDE:
        raise ConfigError(
            f"training.model.name: mobilenet halves images five times; {height} x {width} pixels "
            f"are too few. Set the height and width of the image column to at least "
            f"{_SMALLEST_SIDE}, or take cnn."
        )
    images = pixels(draft, scale=1 / 127.5, offset=-1)
    if channels == 1:
        images = keras.layers.Concatenate(name="gray_as_rgb")([images] * 3)
    body = keras.applications.MobileNetV2(
        input_shape=(height, width, 3),
        alpha=draft.settings.alpha,
        include_top=False,
        weights=None,  # With a name it would download them.
        name=BODY,
    )
    _draw_weights(body, draft.seeds)
    if draft.settings.weights is not None:
        _load_weights(body, draft.settings.weights, draft.settings.alpha)
    features = keras.layers.GlobalAveragePooling2D()(body(images))
    return classifier(draft, [features, *conv1d_parts(draft)])


def _draw_weights(body: keras.Model, seeds: Iterator[int]) -> None:
    """Draws the kernels anew: Keras draws them from a seed of its own."""
    for layer in body.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = MOMENTUM
        elif layer.weights:
            initial = keras.initializers.HeNormal(seed=next(seeds))
            height, width, channels, filters = layer.weights[0].shape
            if isinstance(layer, keras.layers.DepthwiseConv2D):
                # Each channel is an input of its own; Keras' shape would make them all one's.
                kernel = keras.ops.transpose(initial((height, width, 1, channels)), (0, 1, 3, 2))
            else:
                kernel = initial((height, width, channels, filters))
            layer.weights[0].assign(kernel)


def _load_weights(body: keras.Model, file: str, alpha: float) -> None:
    """Loads `file` into the body.

    Raises:
        ConfigError: there is no such file, or it holds something else.
    """
    path = Path(file)
    if not path.name.endswith(_SUFFIXES):
        raise ConfigError(
            f"training.model.weights: {file} does not end in {', '.join(_SUFFIXES)}. "
            "Name a file that Keras' save_weights or save wrote."
        )
    if not path.is_file():
        raise ConfigError(
            f"training.model.weights: there is no file {path.absolute()}. Correct the path, or "
            "leave the key out to start from random weights."
        )
    try:
        body.load_weights(path)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        reason = re.split(r"\.\s|\n", str(error).strip())[0].rstrip(".")
        raise ConfigError(
            f"training.model.weights: {path.absolute()} does not hold the weights of MobileNetV2 "
            f"with alpha {alpha:g} and without its top layer ({reason}). Set "
            "training.model.alpha to that of the file, or name another file."
        ) from error

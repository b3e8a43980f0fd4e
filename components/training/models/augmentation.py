"""Random changes of training images."""

from __future__ import annotations

import math

import keras
import tensorflow as tf

from components.training.models.settings import AugmentationSettings

_LARGEST_PIXEL = 255.0


class Augmentation(keras.layers.Layer):
    """Changes each image of a training batch at random; otherwise only makes it float32.

    Turn, zoom, shift and flip are one resampling (bilinear, the image mirrored beyond its edges),
    so an image is blurred once. How far the random numbers got is a variable of the layer, so a
    training that continues from a checkpoint sees the images it would have seen.

    Args:
        settings: which changes, and how large.
        seed: decides them all.
        name: its name.
    """

    def __init__(self, settings: AugmentationSettings, *, seed: int, name: str) -> None:
        super().__init__(name=name, dtype="float32")
        self._settings = settings
        self._numbers = keras.random.SeedGenerator(seed, name="numbers")

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The changed images.

        Args:
            images: [batch, height, width, channels] of any type, from 0 to 255.
            training: whether to change them.

        Returns:
            float32 of the same shape and range.
        """
        images = tf.cast(images, tf.float32)
        if not training:
            return images
        flip, turn, down, right, zoom, contrast = tf.unstack(self._draw(6, tf.shape(images)[0]))
        settings = self._settings
        flipped = (flip < 0) & settings.flip
        if settings.rotate or settings.shift or settings.zoom:
            images = _resample(
                images,
                angle=2 * math.pi * settings.rotate * turn,
                shift=settings.shift * tf.stack([down, right]),
                zoom=1 + settings.zoom * zoom,
                flipped=flipped,
            )
        elif settings.flip:
            images = tf.where(flipped[:, None, None, None], images[:, :, ::-1], images)
        if settings.contrast:
            factor = (1 + settings.contrast * contrast)[:, None, None, None]
            mean = tf.reduce_mean(images, axis=(1, 2), keepdims=True)
            images = tf.clip_by_value(mean + factor * (images - mean), 0.0, _LARGEST_PIXEL)
        return images

    def _draw(self, count: int, num_images: tf.Tensor) -> tf.Tensor:
        """Numbers drawn evenly from -1 to 1, [count, num_images].

        From random bits, as XLA and TensorFlow make different floats of the same bits.
        """
        bits = tf.random.stateless_uniform(
            [count, num_images], self._numbers.next(), None, None, tf.uint32, alg="philox"
        )
        # The 24 bits that a float32 holds.
        return tf.cast(tf.bitwise.right_shift(bits, 8), tf.float32) / 2**23 - 1


def _resample(
    images: tf.Tensor, *, angle: tf.Tensor, shift: tf.Tensor, zoom: tf.Tensor, flipped: tf.Tensor
) -> tf.Tensor:
    """Each image [batch, height, width, channels] turned, zoomed, shifted and flipped.

    By gathers, which XLA compiles; TensorFlow's own ImageProjectiveTransform it does not.

    Args:
        images: float32.
        angle: radians [batch].
        shift: shares of the height and of the width [2, batch].
        zoom: factors [batch].
        flipped: whether left and right change places, bool [batch].
    """
    height, width = images.shape[1], images.shape[2]
    rows = tf.range(height, dtype=tf.float32)[None, :, None] - (height - 1) / 2
    columns = tf.range(width, dtype=tf.float32)[None, None, :] - (width - 1) / 2
    angle, zoom = angle[:, None, None], zoom[:, None, None]
    mirror = tf.where(flipped, -1.0, 1.0)[:, None, None]
    down, right = shift[0, :, None, None] * height, shift[1, :, None, None] * width
    sine, cosine = tf.sin(angle), tf.cos(angle)
    y = (sine * columns + cosine * rows) / zoom + down + (height - 1) / 2
    x = mirror * (cosine * columns - sine * rows) / zoom + right + (width - 1) / 2
    return _interpolate(images, _mirrored(y, height), _mirrored(x, width))


def _mirrored(position: tf.Tensor, size: int) -> tf.Tensor:
    """Positions beyond the edge pixels' outer borders, folded back."""
    folded = size - tf.abs(tf.math.floormod(position + 0.5, 2.0 * size) - size) - 0.5
    return tf.clip_by_value(folded, 0.0, size - 1.0)


def _interpolate(images: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """The values of `images` at the rows `y` and columns `x`, both [batch, height, width]."""
    height, width, channels = images.shape[1:]
    top, left = tf.floor(y), tf.floor(x)
    below, beside = (y - top)[..., None], (x - left)[..., None]
    top, left = tf.cast(top, tf.int32), tf.cast(left, tf.int32)
    bottom, right = tf.minimum(top + 1, height - 1), tf.minimum(left + 1, width - 1)
    pixels = tf.reshape(images, [-1, height * width, channels])

    def at(row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
        index = tf.reshape(row * width + column, [-1, height * width])
        found = tf.gather(pixels, index, batch_dims=1)
        return tf.reshape(found, [-1, height, width, channels])

    upper = at(top, left) * (1 - beside) + at(top, right) * beside
    lower = at(bottom, left) * (1 - beside) + at(bottom, right) * beside
    return upper * (1 - below) + lower * below

"""Images in the transform graph: encoded bytes become raw pixels of one size."""

from __future__ import annotations

import tensorflow as tf

from components.features import Feature

# The luma of ITU-R BT.601, as in JPEG, scaled so that the weights sum up to exactly 1.
_GRAY = (0.299, 0.587, 0.114)


def raw_pixels(encoded: tf.Tensor, feature: Feature) -> tf.Tensor:
    """Decodes images and brings them to the feature's size.

    An image of another size is resized bilinearly, both sides apart, with antialiasing where it
    shrinks. A missing image, the empty string, is black.

    Args:
        encoded: PNG, JPEG, GIF (the first frame is used) or BMP, string [batch].
        feature: says height, width and channels.

    Returns:
        string [batch]: the uint8 pixels [height, width, channels], row by row, as bytes, which
        `tf.io.decode_raw` turns into a tensor.
    """
    return tf.map_fn(
        lambda image: _one(image, feature),
        encoded,
        fn_output_signature=tf.TensorSpec([], tf.string),
    )


def _one(encoded: tf.Tensor, feature: Feature) -> tf.Tensor:
    size = [feature.height, feature.width]

    def decoded() -> tf.Tensor:
        # Three channels are what the decoder of every format can give.
        image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        image.set_shape([None, None, 3])
        fits = tf.reduce_all(tf.equal(tf.shape(image)[:2], size))
        image = tf.cond(fits, lambda: image, lambda: _resized(image, size))
        return tf.ensure_shape(image, [*size, 3])

    image = tf.cond(
        tf.equal(tf.strings.length(encoded), 0),
        lambda: tf.zeros([*size, 3], tf.uint8),
        decoded,
    )
    if feature.channels == 1:
        image = _rounded(tf.tensordot(tf.cast(image, tf.float32), tf.constant(_GRAY), 1))
    # No operation gives a tensor's bytes, but they are the end of its serialized form: the field
    # `tensor_content` is the last of a TensorProto.
    # https://www.tensorflow.org/api_docs/python/tf/io/serialize_tensor
    serialized = tf.io.serialize_tensor(image)
    num_bytes = feature.height * feature.width * feature.channels
    return tf.strings.substr(serialized, -num_bytes, num_bytes)


def _resized(image: tf.Tensor, size: list[int]) -> tf.Tensor:
    return _rounded(tf.image.resize(image, size, method="bilinear", antialias=True))


def _rounded(values: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.clip_by_value(tf.round(values), 0, 255), tf.uint8)

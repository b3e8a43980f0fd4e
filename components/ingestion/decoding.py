"""Decodes an image as the transform graph will, only to see that it can be."""

from __future__ import annotations

import re

import tensorflow as tf

from components.errors import DataRejected

_NOISE = re.compile(r"\{\{.*?\}\}\s*|\s*\[Op:\w+\]")


def check(content: bytes, where: str) -> None:
    """Raises DataRejected if the image cannot be decoded.

    Args:
        content: the encoded image; empty is a missing one.
        where: the file or the record, for the message.
    """
    if not content:
        return
    try:
        # The same arguments as in Transform.
        tf.io.decode_image(content, channels=3, expand_animations=False)
    except (tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError) as error:
        reason = _NOISE.sub("", str(error).splitlines()[0]).rstrip(". ")
        raise DataRejected(
            f"{where}: the image of {len(content):,} bytes cannot be decoded, so it is truncated "
            f"or damaged ({reason}). Remove it, or save it again as PNG or JPEG."
        ) from error

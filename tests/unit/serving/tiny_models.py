"""Models for tests of the server, made in a moment: y = weight * x, and some that misbehave."""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path

import tensorflow as tf


def write(folder: Path, *, weight: float = 1.0) -> Path:
    """Writes a SavedModel into `folder`, which appears at once.

    serving_default: y = weight * x, for `x` of any length; fails where x is -1.
    total: the sum of x, one number however many rows.
    means: every row gets the mean of all.
    named: y = len(name) * x, two inputs.
    """
    made = _made(weight)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".tmp-", dir=folder.parent))
    shutil.copytree(made, draft, dirs_exist_ok=True)
    draft.rename(folder)
    return folder


@functools.cache
def _made(weight: float) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tiny-model-"))
    numbers = tf.TensorSpec([None], tf.float32, "x")
    text = tf.TensorSpec([None], tf.string, "name")
    module = tf.Module()
    module.weight = tf.Variable(float(weight))

    @tf.function(autograph=False, input_signature=[numbers])
    def default(x: tf.Tensor) -> dict[str, tf.Tensor]:
        is_fine = tf.debugging.assert_none_equal(x, -1.0, message="x must not be -1")
        with tf.control_dependencies([is_fine]):
            return {"y": module.weight * x}

    @tf.function(autograph=False, input_signature=[numbers])
    def total(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"sum": tf.reduce_sum(x)}

    @tf.function(autograph=False, input_signature=[numbers])
    def means(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"mean": tf.fill(tf.shape(x), tf.reduce_mean(x))}

    @tf.function(autograph=False, input_signature=[text, numbers])
    def named(name: tf.Tensor, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": tf.cast(tf.strings.length(name), tf.float32) * x}

    signatures = {"serving_default": default, "total": total, "means": means, "named": named}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return folder

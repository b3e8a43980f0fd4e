"""The names that weights have in an exported model, so that a later training finds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from components.errors import NodeFailed
from components.training.export.learner_like import LearnerLike

# The attribute of the exported module that holds the weights.
ATTRIBUTE = "weights"
_HEAD = "head/"
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


def named_weights(learner: LearnerLike) -> dict[str, tf.Variable]:
    """All weights by name: the network's by their Keras path, the head's with `head/` before it.

    Raises:
        NodeFailed: two weights have one name.
    """
    named: dict[str, tf.Variable] = {}
    for prefix, weights in (("", learner.model.weights), (_HEAD, learner.head.variables)):
        _add(named, prefix, weights)
    return named


def weights_of(directory: Path) -> Mapping[str, np.ndarray]:
    """The weights of an exported model, by name, read without running anything of it.

    Raises:
        NodeFailed: the directory holds no exported model.
    """
    prefix = f"{ATTRIBUTE}/"
    try:
        reader = tf.train.load_checkpoint(str(directory / "variables" / "variables"))
        return {
            _unescaped(key[len(prefix) : -len(_VALUE)]): reader.get_tensor(key)
            for key in reader.get_variable_to_shape_map()
            if key.startswith(prefix) and key.endswith(_VALUE)
        }
    except (ValueError, IndexError, tf.errors.OpError) as error:
        raise NodeFailed(
            f"Trainer: {directory} has no weights to start from: {str(error).splitlines()[0]} "
            "Set training.warm_start to false, or restore the model."
        ) from error


def _add(named: dict[str, tf.Variable], prefix: str, weights: Iterable[keras.Variable]) -> None:
    for weight in weights:
        name = prefix + weight.path
        if name in named:
            raise NodeFailed(
                f"Trainer: two weights of the model are named {name!r}, so the exported model "
                "could not tell them apart. Give their layers different names."
            )
        named[name] = weight.value


def _unescaped(key: str) -> str:
    """Undoes what TensorFlow does to names in checkpoints: `/` is `.S` there, and `.` is `..`."""
    parts = key.split("..")
    return ".".join(part.replace(".S", "/") for part in parts)

"""What the networks have in common: seeds, the columns of a table, the perceptron, the output."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from components.features import CATEGORICAL, NUMERIC
from components.training.models.settings import ModelSettings
from components.training.models.shape import InputShape

_EMBEDDING_STDDEV = 0.05
_LARGEST_EMBEDDING = 50


@dataclasses.dataclass(frozen=True)
class Draft:
    """What a network is built from.

    Attributes:
        inputs: its symbolic inputs, by name.
        shape: their sizes.
        settings: how it is built.
        units: it puts out float32 [batch, units].
        seeds: independent seeds, one a layer.
    """

    inputs: dict[str, keras.KerasTensor]
    shape: InputShape
    settings: ModelSettings
    units: int
    seeds: Iterator[int]


def layer_seeds(seed: int) -> Iterator[int]:
    """Independent seeds, one a layer: layers that share a seed would share their numbers."""
    generator = np.random.default_rng(seed)
    while True:
        yield int(generator.integers(2**31))


def table_columns(draft: Draft) -> list[keras.KerasTensor]:
    """The table as the perceptron reads it: embeddings and numbers, each [batch, width]."""
    parts = []
    if CATEGORICAL in draft.inputs:
        parts += _embeddings(draft)
    if NUMERIC in draft.inputs:
        parts.append(draft.inputs[NUMERIC])
    return parts


def perceptron(draft: Draft, hidden: keras.KerasTensor) -> keras.KerasTensor:
    """The hidden layers, with dropout after each: [batch, width] of the last."""
    for number, width in enumerate(draft.settings.hidden_units):
        initial = keras.initializers.HeNormal(seed=next(draft.seeds))
        layer = keras.layers.Dense(
            width, "relu", kernel_initializer=initial, name=f"hidden_{number}"
        )
        hidden = layer(hidden)
        if draft.settings.dropout:
            dropout = keras.layers.Dropout(
                draft.settings.dropout, seed=next(draft.seeds), name=f"dropout_{number}"
            )
            hidden = dropout(hidden)
    return hidden


def output(draft: Draft, hidden: keras.KerasTensor, name: str = "output") -> keras.KerasTensor:
    """The linear layer that ends a network; in float32, whatever the network computes in."""
    initial = keras.initializers.GlorotNormal(seed=next(draft.seeds))
    layer = keras.layers.Dense(draft.units, kernel_initializer=initial, dtype="float32", name=name)
    return layer(hidden)


def classifier(draft: Draft, parts: list[keras.KerasTensor]) -> keras.KerasTensor:
    """The end of a network for images, text or series: `parts` and the table, in a perceptron."""
    return output(draft, perceptron(draft, join([*parts, *table_columns(draft)])))


def join(parts: list[keras.KerasTensor]) -> keras.KerasTensor:
    """Vectors [batch, width], one after the other."""
    return keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0]


def embedding(num_ids: int, size: int, *, seed: int, name: str) -> keras.layers.Embedding:
    """A table of `num_ids` rows of `size` small random numbers."""
    initial = keras.initializers.RandomNormal(stddev=_EMBEDDING_STDDEV, seed=seed)
    return keras.layers.Embedding(num_ids, size, initial, name=name)


def embedding_size(num_ids: int) -> int:
    """The size of an embedding of `num_ids` ids, at most 50.

    Source: `emb_sz_rule` of fastai, found by trying many data sets; the bound is ours.
    """
    return min(_LARGEST_EMBEDDING, math.ceil(1.6 * num_ids**0.56))


def _embeddings(draft: Draft) -> list[keras.KerasTensor]:
    """An embedding of each categorical column's id.

    In one size, one table holds them all, which one operation reads: an id belongs to one column.
    """
    ids, shape = draft.inputs[CATEGORICAL], draft.shape
    if draft.settings.embedding_dim:
        table = embedding(
            shape.num_ids, draft.settings.embedding_dim, seed=next(draft.seeds), name="embedding"
        )
        return [keras.layers.Flatten()(table(ids))]
    assert shape.local_ids is not None
    columns = LocalIds(shape.local_ids, name="local_ids")(ids)
    tables = [
        embedding(size, embedding_size(size), seed=next(draft.seeds), name=f"embedding_{slot}")
        for slot, size in enumerate(shape.slot_sizes)
    ]
    return [table(columns[:, slot]) for slot, table in enumerate(tables)]


class LocalIds(keras.layers.Layer):
    """Turns ids that all columns share into ids counted within each column.

    Args:
        local_ids: int32 [num_ids].
        name: its name.
    """

    def __init__(self, local_ids: np.ndarray, *, name: str) -> None:
        super().__init__(name=name)
        self._local_ids = local_ids

    def call(self, ids: tf.Tensor) -> tf.Tensor:
        """Int32, of the shape of `ids`."""
        return tf.gather(self._local_ids, ids)

    def compute_output_spec(self, ids: keras.KerasTensor) -> keras.KerasTensor:
        """As the input."""
        return keras.KerasTensor(ids.shape, dtype="int32")

"""What the networks for text and series have in common: padding, and the convolutions."""

from __future__ import annotations

from typing import NamedTuple

import keras
from keras import ops

from components.features import SERIES, TOKENS
from components.training.models.blocks import Draft, embedding, embedding_size

_KERNEL = 5


class Sequence(NamedTuple):
    """Vectors in order.

    Attributes:
        name: the input they come from.
        values: [batch, length, width]; 0 where there is padding.
        mask: bool [batch, length], false at the padding at the end.
    """

    name: str
    values: keras.KerasTensor
    mask: keras.KerasTensor


def sequences(draft: Draft) -> list[Sequence]:
    """The text and the series there are, the words as embeddings."""
    found = []
    if TOKENS in draft.inputs:
        assert draft.shape.tokens is not None
        ids, num_ids = draft.inputs[TOKENS], draft.shape.tokens.num_ids
        size = draft.settings.embedding_dim or embedding_size(num_ids)
        table = embedding(num_ids, size, seed=next(draft.seeds), name="token_embedding")
        mask = ops.not_equal(ids, 0)
        found.append(Sequence(TOKENS, _only(table(ids), mask), mask))
    if SERIES in draft.inputs:
        values = draft.inputs[SERIES]
        # A value may be 0 as well: only the zeros that nothing follows are padding.
        present = ops.cast(ops.any(ops.not_equal(values, 0), axis=-1), "int32")
        later = ops.flip(ops.cumsum(ops.flip(present, axis=1), axis=1), axis=1)
        found.append(Sequence(SERIES, values, ops.greater(later, 0)))
    return found


def conv1d_parts(draft: Draft) -> list[keras.KerasTensor]:
    """Each sequence as a vector [batch, 2 * filters], by convolutions; none if there is none.

    A convolution and a halving for each of `filters`, then the largest value and the mean of each
    channel over time. Padding is 0 wherever a convolution could see it, and is not counted.

    Source: Kim 2014, https://arxiv.org/abs/1408.5882, for the largest value over time.
    """
    return [_convolve(draft, sequence) for sequence in sequences(draft)]


def _convolve(draft: Draft, sequence: Sequence) -> keras.KerasTensor:
    values, mask = sequence.values, sequence.mask
    for number, filters in enumerate(draft.settings.filters):
        if number:
            values = keras.layers.MaxPooling1D(2, padding="same")(values)
            mask = mask[:, ::2]  # A pair begins with padding only if it is all padding.
        layer = keras.layers.Conv1D(
            filters,
            _KERNEL,
            padding="same",
            activation="relu",
            kernel_initializer=keras.initializers.HeNormal(seed=next(draft.seeds)),
            name=f"{sequence.name}_conv_{number}",
        )
        values = _only(layer(values), mask)
    # ReLU's values are at least 0, so padding is never above them.
    largest = ops.max(values, axis=1)
    count = ops.maximum(ops.sum(ops.cast(mask, "float32"), axis=1, keepdims=True), 1.0)
    # In float32: sums of long sequences leave the range of float16.
    mean = ops.sum(ops.cast(values, "float32"), axis=1) / count
    return ops.concatenate([largest, ops.cast(mean, largest.dtype)], axis=1)


def _only(values: keras.KerasTensor, mask: keras.KerasTensor) -> keras.KerasTensor:
    """0 where the mask is false."""
    return values * ops.cast(mask[:, :, None], values.dtype)

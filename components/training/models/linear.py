"""A linear model of the table."""

from __future__ import annotations

import keras

from components.features import CATEGORICAL, NUMERIC
from components.training.models.blocks import Draft


def linear(draft: Draft) -> keras.KerasTensor:
    """A weight for every id and every numeric column, from zero; in float32."""
    terms = []
    if CATEGORICAL in draft.inputs:
        weights = keras.layers.Embedding(
            draft.shape.num_ids, draft.units, "zeros", dtype="float32", name="wide_ids"
        )
        terms.append(keras.ops.sum(weights(draft.inputs[CATEGORICAL]), axis=1))
    if NUMERIC in draft.inputs:
        layer = keras.layers.Dense(
            draft.units, kernel_initializer="zeros", dtype="float32", name="wide_numeric"
        )
        terms.append(layer(draft.inputs[NUMERIC]))
    return keras.layers.Add(dtype="float32")(terms) if len(terms) > 1 else terms[0]

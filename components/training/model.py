"""The networks: from the transformed columns to the outputs of a head."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import keras
import numpy as np

from components.features import CATEGORICAL, NUMERIC
from components.training.settings import TrainingSettings


class InputShape(NamedTuple):
    """The sizes of a network's inputs.

    Attributes:
        numeric_width: columns of `numeric`, float32 [batch, numeric_width]; 0 if there is none.
        num_slots: columns of `categorical`, int32 [batch, num_slots]; 0 if there is none.
        num_ids: ids in `categorical` are in 0 .. num_ids - 1, those of all columns together.
    """

    numeric_width: int
    num_slots: int
    num_ids: int


def build_model(settings: TrainingSettings, shape: InputShape, *, units: int) -> keras.Model:
    """The network that `settings.model` names, its weights drawn from `settings.seed`.

    Args:
        settings: how it is built.
        shape: what it reads: a dict of the columns that are not of width 0.
        units: it puts out float32 [batch, units].
    """
    inputs: dict[str, keras.KerasTensor] = {}
    if shape.numeric_width:
        inputs[NUMERIC] = keras.Input((shape.numeric_width,), dtype="float32", name=NUMERIC)
    if shape.num_slots:
        inputs[CATEGORICAL] = keras.Input((shape.num_slots,), dtype="int32", name=CATEGORICAL)
    outputs = _BUILDERS[settings.model](inputs, shape, settings, units)
    return keras.Model(inputs, outputs, name=settings.model)


def _linear(
    inputs: dict[str, keras.KerasTensor],
    shape: InputShape,
    settings: TrainingSettings,
    units: int,
) -> keras.KerasTensor:
    """A weight for every id and every numeric column, from zero."""
    del settings  # It has no choices.
    terms = []
    if CATEGORICAL in inputs:
        weights = keras.layers.Embedding(shape.num_ids, units, "zeros", name="wide_ids")
        terms.append(keras.ops.sum(weights(inputs[CATEGORICAL]), axis=1))
    if NUMERIC in inputs:
        layer = keras.layers.Dense(units, kernel_initializer="zeros", name="wide_numeric")
        terms.append(layer(inputs[NUMERIC]))
    return _join(keras.layers.Add(), terms)


def _wide_deep(
    inputs: dict[str, keras.KerasTensor],
    shape: InputShape,
    settings: TrainingSettings,
    units: int,
) -> keras.KerasTensor:
    """The linear part plus a perceptron over the numeric columns and an embedding of each id."""
    seeds = _seeds(settings.seed)
    columns = []
    if CATEGORICAL in inputs:
        embed = keras.layers.Embedding(
            shape.num_ids,
            settings.embedding_dim,
            keras.initializers.RandomNormal(stddev=0.05, seed=next(seeds)),
            name="embedding",
        )
        columns.append(keras.layers.Flatten()(embed(inputs[CATEGORICAL])))
    if NUMERIC in inputs:
        columns.append(inputs[NUMERIC])
    hidden = _join(keras.layers.Concatenate(), columns)
    for number, width in enumerate(settings.hidden_units):
        initial = keras.initializers.HeNormal(seed=next(seeds))
        layer = keras.layers.Dense(
            width, "relu", kernel_initializer=initial, name=f"hidden_{number}"
        )
        hidden = layer(hidden)
        if settings.dropout:
            hidden = keras.layers.Dropout(settings.dropout, seed=next(seeds))(hidden)
    initial = keras.initializers.GlorotNormal(seed=next(seeds))
    deep = keras.layers.Dense(units, kernel_initializer=initial, name="deep")(hidden)
    return keras.layers.Add()([deep, _linear(inputs, shape, settings, units)])


_Builder = Callable[
    [dict[str, keras.KerasTensor], InputShape, TrainingSettings, int], keras.KerasTensor
]
_BUILDERS: dict[str, _Builder] = {"wide_deep": _wide_deep, "linear": _linear}


def _join(layer: keras.layers.Layer, parts: list[keras.KerasTensor]) -> keras.KerasTensor:
    return layer(parts) if len(parts) > 1 else parts[0]


def _seeds(seed: int) -> Iterator[int]:
    """Independent seeds, one a layer: layers that share a seed would share their numbers."""
    generator = np.random.default_rng(seed)
    while True:
        yield int(generator.integers(2**31))

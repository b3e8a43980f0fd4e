"""A recurrent network for text and series (Cho et al. 2014, https://arxiv.org/abs/1406.1078)."""

from __future__ import annotations

import keras

from components.training.models.blocks import Draft, classifier
from components.training.models.sequences import sequences


def gru(draft: Draft) -> keras.KerasTensor:
    """The state of a gated recurrent unit after each sequence, then the perceptron."""
    parts = []
    for sequence in sequences(draft):
        layer = keras.layers.GRU(
            draft.settings.gru_units,
            kernel_initializer=keras.initializers.GlorotUniform(seed=next(draft.seeds)),
            recurrent_initializer=keras.initializers.Orthogonal(seed=next(draft.seeds)),
            seed=next(draft.seeds),
            name=f"{sequence.name}_gru",
        )
        parts.append(layer(sequence.values, mask=sequence.mask))
    return classifier(draft, parts)

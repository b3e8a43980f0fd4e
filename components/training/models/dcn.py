"""The deep and cross network, version 2 (Wang et al. 2021, https://arxiv.org/abs/2008.13535)."""

from __future__ import annotations

import keras

from components.training.models.blocks import Draft, join, output, perceptron, table_columns


def dcn(draft: Draft) -> keras.KerasTensor:
    """Crosses of the columns, of a degree that grows by one a layer, and a perceptron.

    `stacked`, the perceptron reads the crosses; `parallel`, both read the columns.
    """
    first = join(table_columns(draft))
    crossed = first
    for number in range(draft.settings.cross_layers):
        product = _project(draft, crossed, first.shape[-1], f"cross_{number}")
        product = keras.layers.Multiply(name=f"cross_{number}_product")([first, product])
        crossed = keras.layers.Add(name=f"cross_{number}_sum")([product, crossed])
    if draft.settings.cross_layout == "stacked":
        return output(draft, perceptron(draft, crossed))
    return output(draft, join([crossed, perceptron(draft, first)]))


def _project(draft: Draft, crossed: keras.KerasTensor, width: int, name: str) -> keras.KerasTensor:
    """A square matrix, or the product of two of rank `cross_rank`; and a bias."""
    if 0 < draft.settings.cross_rank < width:
        initial = keras.initializers.GlorotNormal(seed=next(draft.seeds))
        crossed = keras.layers.Dense(
            draft.settings.cross_rank,
            kernel_initializer=initial,
            use_bias=False,
            name=f"{name}_down",
        )(crossed)
    initial = keras.initializers.GlorotNormal(seed=next(draft.seeds))
    return keras.layers.Dense(width, kernel_initializer=initial, name=name)(crossed)

"""From the settings of a network to the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import keras

from components.errors import ConfigError
from components.features import CATEGORICAL, IMAGE, NUMERIC, SERIES, TOKENS
from components.training.models.blocks import Draft, layer_seeds
from components.training.models.cnn import cnn
from components.training.models.conv1d import conv1d
from components.training.models.dcn import dcn
from components.training.models.function import call_function
from components.training.models.gru import gru
from components.training.models.linear import linear
from components.training.models.mlp import mlp
from components.training.models.mobilenet import mobilenet
from components.training.models.settings import AugmentationSettings, ModelSettings
from components.training.models.shape import InputShape
from components.training.models.vgg import vgg
from components.training.models.wide_deep import wide_deep

_TABLE = frozenset({NUMERIC, CATEGORICAL})
_SEQUENCES = frozenset({TOKENS, SERIES})
_SPOKEN = {IMAGE: "images", TOKENS: "text", SERIES: "series"}


class _Network(NamedTuple):
    """How a network is built, and what it reads beside the table, or must have."""

    build: Callable[[Draft], keras.KerasTensor]
    reads: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()


_NETWORKS = {
    "linear": _Network(linear),
    "wide_deep": _Network(wide_deep),
    "mlp": _Network(mlp),
    "dcn": _Network(dcn),
    "cnn": _Network(cnn, _SEQUENCES | {IMAGE}, frozenset({IMAGE})),
    "vgg": _Network(vgg, _SEQUENCES | {IMAGE}, frozenset({IMAGE})),
    "mobilenet": _Network(mobilenet, _SEQUENCES | {IMAGE}, frozenset({IMAGE})),
    "conv1d": _Network(conv1d, _SEQUENCES, _SEQUENCES),
    "gru": _Network(gru, _SEQUENCES, _SEQUENCES),
}


def build_model(
    settings: ModelSettings, shape: InputShape, *, units: int, seed: int
) -> keras.Model:
    """The network that `settings` describe.

    Args:
        settings: which one, and how large.
        shape: the columns it reads, all of them.
        units: the width of its answers.
        seed: decides its first weights, and what random layers do.

    Returns:
        A model of a dict of the columns, by name; it puts out float32 [batch, units], or, if it
        is one's own, a dict whose `main` is that.

    Raises:
        ConfigError: the network cannot read the columns, or cannot be built.
    """
    if settings.function is not None:
        _refuse_unused(settings, "a function of one's own", shape)
        return call_function(settings.function, settings.options, shape, units=units, seed=seed)
    name = choose(shape) if settings.name == "auto" else settings.name
    network = _NETWORKS[name]
    inputs = shape.inputs()
    _refuse_columns(name, network, shape)
    _refuse_unused(settings, name, shape)
    draft = Draft(inputs, shape, settings, units, layer_seeds(seed))
    return keras.Model(inputs, network.build(draft), name=name)


def choose(shape: InputShape) -> str:
    """The network that `auto` is: `cnn`, `conv1d` or `wide_deep`, by the columns."""
    if shape.image:
        return "cnn"
    return "conv1d" if shape.tokens or shape.series else "wide_deep"


def _refuse_columns(name: str, network: _Network, shape: InputShape) -> None:
    """Lets no column be ignored in silence, and no network go without what it is for."""
    columns = shape.columns().keys()
    for column in columns:
        if column in _TABLE | network.reads:
            continue
        ignore = "".join(f", or leave it out: features.{c}: ignore" for c in _raw(shape, column))
        raise ConfigError(
            f"training.model.name: {name} does not read {_SPOKEN[column]}"
            f"{_named(_raw(shape, column))}. Take {_fitting(shape)}{ignore}."
        )
    if network.needs and not network.needs & columns:
        kinds = " or ".join(_SPOKEN[kind] for kind in _SPOKEN if kind in network.needs)
        raise ConfigError(
            f"training.model.name: {name} is for {kinds}, and no column holds such. "
            f"Take {_fitting(shape)}."
        )


def _refuse_unused(settings: ModelSettings, name: str, shape: InputShape) -> None:
    """Lets no augmentation and no weights be ignored in silence."""
    network = _NETWORKS.get(name)
    reads_images = network is not None and IMAGE in network.reads
    if settings.augmentation != AugmentationSettings() and not reads_images:
        raise ConfigError(
            f"training.model.augmentation: {name} does not augment images. Leave the key out"
            + (" or take cnn, vgg or mobilenet." if shape.image else ".")
        )
    if settings.weights is not None and name != "mobilenet":
        raise ConfigError(
            f"training.model.weights: {name} does not start from a file. Leave the key out, or "
            "take mobilenet."
        )


def _fitting(shape: InputShape) -> str:
    columns = shape.columns().keys()
    fitting = [
        name
        for name, network in _NETWORKS.items()
        if columns <= _TABLE | network.reads and (not network.needs or network.needs & columns)
    ]
    return " or ".join([", ".join(fitting[:-1]), fitting[-1]] if len(fitting) > 1 else fitting)


def _raw(shape: InputShape, column: str) -> tuple[str, ...]:
    return shape.names.get(column, ())


def _named(names: tuple[str, ...]) -> str:
    if not names:
        return ""
    return f" (column{'s' if len(names) > 1 else ''} {', '.join(map(repr, names))})"

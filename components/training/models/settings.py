"""Settings of a network: which one, and how large."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic

from components.settings import Settings

Units = Annotated[int, pydantic.Field(ge=1, le=65_536)]
Name = Literal[
    "auto", "linear", "wide_deep", "mlp", "dcn", "cnn", "vgg", "mobilenet", "conv1d", "gru"
]


class AugmentationSettings(Settings):
    """Random changes of training images; an evaluation and the served model never see them.

    `flip` mirrors left and right; the others are the largest change, drawn evenly around none:
    `rotate` as a share of a whole turn, `shift` and `zoom` as a share of the image's side,
    `contrast` as a share of the contrast.
    """

    flip: bool = False
    rotate: float = pydantic.Field(default=0.0, ge=0, le=0.5)
    shift: float = pydantic.Field(default=0.0, ge=0, lt=1)
    zoom: float = pydantic.Field(default=0.0, ge=0, lt=1)
    contrast: float = pydantic.Field(default=0.0, ge=0, lt=1)


class FreezeSettings(Settings):
    """Layers that do not learn at first: those whose name begins with one of `layers`.

    They stay as they are up to `share` of the steps, then learn with the rest, the learning rate
    lowered by `learning_rate_factor`. With `share` 1 they never learn.
    """

    layers: tuple[str, ...] = ()
    share: float = pydantic.Field(default=1.0, gt=0, le=1)
    learning_rate_factor: float = pydantic.Field(default=1.0, gt=0, le=1)


class ModelSettings(Settings):
    """Which network, and how large.

    `auto` takes `cnn` for images, `conv1d` for text and series, `wide_deep` otherwise. `function`
    instead names a function of one's own, `package.module:function`; it is called with the input
    shape, the number of outputs, a seed and `options`, and returns a Keras model.

    `hidden_units` and `dropout` shape the perceptron that every network but `linear` ends in (or
    consists of); `embedding_dim` is the size of an id's embedding (0 sizes each column's by
    its number of values); `cross_layers` and `cross_rank` (0: full) shape `dcn`, whose perceptron
    reads the crosses (`stacked`) or the columns (`parallel`); `filters` are the channels of each
    block of `cnn`, `vgg` and `conv1d`, `gru_units` the state of `gru`.

    `weights` is a file of Keras weights that `mobilenet` starts from; `alpha` is its width.
    """

    name: Name = "auto"
    function: str | None = pydantic.Field(default=None, pattern=r"^[\w.]+:\w+$")
    options: dict[str, Any] = pydantic.Field(default_factory=dict)
    hidden_units: tuple[Units, ...] = pydantic.Field(default=(64, 32), max_length=16)
    embedding_dim: int = pydantic.Field(default=8, ge=0, le=1024)
    dropout: float = pydantic.Field(default=0.0, ge=0, lt=1)
    cross_layers: int = pydantic.Field(default=2, ge=1, le=16)
    cross_rank: int = pydantic.Field(default=0, ge=0, le=4096)
    cross_layout: Literal["stacked", "parallel"] = "stacked"
    filters: tuple[Units, ...] = pydantic.Field(default=(32, 64), min_length=1, max_length=8)
    gru_units: Units = 64
    weights: str | None = None
    alpha: float = pydantic.Field(default=1.0, gt=0, le=2)
    augmentation: AugmentationSettings = AugmentationSettings()
    freeze: FreezeSettings = FreezeSettings()

    @pydantic.model_validator(mode="after")
    def _options_have_a_reader(self) -> ModelSettings:
        if self.options and self.function is None:
            raise ValueError("options are for a function of one's own; name it with `function`")
        if self.function is not None and self.name != "auto":
            raise ValueError("name and function both say which network: keep one")
        return self

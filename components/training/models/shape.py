"""What a network reads: the sizes of the prepared columns."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components.features import (
    CATEGORICAL,
    IMAGE,
    NUMERIC,
    SERIES,
    TIMESTAMP,
    TOKENS,
    DataSpec,
    Feature,
    Slot,
)
from components.training.vocabulary_rows import Vocabularies, vocabularies


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Tokens:
    """The size of `tokens`, int32 [batch, length], of ids in 0 .. num_ids - 1; 0 is padding."""

    length: int
    num_ids: int


@dataclasses.dataclass(frozen=True, eq=False)
class InputShape:
    """The sizes of a network's inputs; what there is none of is 0 or None.

    Attributes:
        numeric_width: columns of `numeric`, float32 [batch, numeric_width].
        num_slots: columns of `categorical`, int32 [batch, num_slots].
        num_ids: ids in `categorical` are in 0 .. num_ids - 1, those of all columns together.
        slot_sizes: how many of these ids each column of `categorical` has.
        local_ids: int32 [num_ids], each id counted from 0 within its own column. Without these
            two, any column may hold any id.
        image: height, width and channels of `image`, uint8 [batch, height, width, channels].
        tokens: the size of `tokens`.
        series: length and channels of `series`, float32 [batch, length, channels]; a row that ends
            early is filled up with zeros.
        names: for an input, the names of the raw columns in it, to speak of them.
    """

    numeric_width: int = 0
    num_slots: int = 0
    num_ids: int = 0
    slot_sizes: tuple[int, ...] = ()
    local_ids: np.ndarray | None = None
    image: tuple[int, int, int] | None = None
    tokens: Tokens | None = None
    series: tuple[int, int] | None = None
    names: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Completes what is told of the ids."""
        if self.local_ids is None:
            object.__setattr__(self, "slot_sizes", (self.num_ids,) * self.num_slots)
            object.__setattr__(self, "local_ids", np.arange(self.num_ids, dtype=np.int32))

    @property
    def has_table(self) -> bool:
        """Whether there are numeric or categorical columns."""
        return bool(self.numeric_width or self.num_slots)

    def columns(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """The inputs there are: name to (shape of a row, dtype)."""
        columns: dict[str, tuple[tuple[int, ...], str]] = {}
        if self.numeric_width:
            columns[NUMERIC] = (self.numeric_width,), "float32"
        if self.num_slots:
            columns[CATEGORICAL] = (self.num_slots,), "int32"
        if self.image:
            columns[IMAGE] = self.image, "uint8"
        if self.tokens:
            columns[TOKENS] = (self.tokens.length,), "int32"
        if self.series:
            columns[SERIES] = self.series, "float32"
        return columns

    def inputs(self) -> dict[str, keras.KerasTensor]:
        """A symbolic tensor for each of `columns`, to build a functional model from."""
        return {
            name: keras.Input(shape, dtype=dtype, name=name)
            for name, (shape, dtype) in self.columns().items()
        }


def input_shape(spec: DataSpec, transformed: tft.TFTransformOutput) -> InputShape:
    """The sizes of the columns that Transform made of `spec`, once prepared for a network."""
    columns = transformed.transformed_feature_spec()
    assets = Path(transformed.transform_savedmodel_dir) / tf.saved_model.ASSETS_DIRECTORY
    meaning = vocabularies(spec, assets)
    tokens = None
    if TOKENS in columns:
        tokens = Tokens(length=columns[TOKENS].shape[0], num_ids=len(meaning.tokens))
    # Pixels travel as bytes, so only the spec knows their shape.
    images = [(f.height, f.width, f.channels) for f in spec.of_kind("image")]
    return InputShape(
        numeric_width=columns[NUMERIC].shape[0] if NUMERIC in columns else 0,
        num_slots=len(meaning.slots),
        num_ids=len(meaning.ids),
        slot_sizes=tuple(len(slot) for slot in meaning.slots),
        local_ids=_local_ids(meaning),
        image=images[0] if images else None,
        tokens=tokens,
        series=tuple(columns[SERIES].shape) if SERIES in columns else None,
        names=_names(spec),
    )


def _local_ids(meaning: Vocabularies) -> np.ndarray:
    """Each id counted from 0 within its own column, int32 [num_ids]."""
    counts: collections.Counter[str] = collections.Counter()
    local = np.zeros(len(meaning.ids), np.int32)
    for index, key in enumerate(meaning.ids):
        local[index] = counts[key.column]
        counts[key.column] += 1
    return local


def _names(spec: DataSpec) -> dict[str, tuple[str, ...]]:
    named: dict[str, Sequence[Feature | Slot]] = {
        NUMERIC: spec.of_kind(NUMERIC) + spec.of_kind(TIMESTAMP),
        CATEGORICAL: spec.slots,
        IMAGE: spec.of_kind("image"),
        TOKENS: spec.of_kind("text"),
        SERIES: spec.of_kind("series"),
    }
    return {name: tuple(item.name for item in items) for name, items in named.items() if items}

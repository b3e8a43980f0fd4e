"""What the configuration says about the data: where it is, how it is written, how it is split."""

from __future__ import annotations

from typing import Literal

import pydantic

from components.settings import Settings

BUILTIN = "builtin:"

_HASH_BUCKETS_LIMIT = 10_000


class Splits(Settings):
    """How many hash buckets go to each split: a row's content alone decides where it lands."""

    train: int = pydantic.Field(default=2, ge=1, le=_HASH_BUCKETS_LIMIT)
    eval: int = pydantic.Field(default=1, ge=1, le=_HASH_BUCKETS_LIMIT)


class FeatureOverride(Settings):
    """What the configuration says about one column; what it leaves out keeps its default.

    The fields are those of `components.features.Feature`. In a mapping by column name, the text
    `ignore` instead leaves the column out.
    """

    kind: Literal["numeric", "categorical"] | None = None
    buckets: int | None = pydantic.Field(default=None, ge=0, le=1000)


Override = FeatureOverride | Literal["ignore"]


class DataSettings(Settings):
    """The source of the data.

    `path` is a file, a folder of files of one kind, `builtin:taxi` (15,002 Chicago taxi trips, CSV)
    or `builtin:penguin` (334 penguins, TFRecord); both come with the tfx package. A relative path
    is relative to the working directory. `delimiter` applies to CSV.
    """

    path: str = pydantic.Field(default="builtin:taxi", min_length=1)
    format: Literal["auto", "csv", "tfrecord"] = "auto"
    splits: Splits = Splits()
    delimiter: str = ","

    @pydantic.field_validator("delimiter")
    @classmethod
    def _is_one_character(cls, value: str) -> str:
        if len(value) != 1 or not value.isascii() or value in '"\r\n\0':
            raise ValueError(
                f'{value!r} cannot separate fields: give one ASCII character, such as ";" or "\\t"'
            )
        return value

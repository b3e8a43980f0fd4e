"""What the columns mean: the one table that Transform, Trainer, Evaluator and ServingCheck share.

A `DataSpec` is resolved once, before the graph is built (from the curated schema and the
configuration, or from the data itself), and travels to the nodes as JSON.

Transform turns it into dense tensors, in the order of `features`:

    numeric      float32 [batch, numeric_width]     scaled, missing values imputed; missing flags;
                                                    parts of timestamps
    categorical  int64   [batch, num_slots]         ids, one slot a column or cross; see `num_ids`
    image        string  [batch]                    uint8 pixels [height, width, channels], as bytes
    tokens       int64   [batch, length]            ids of words; 0 is padding, 1 an unseen word
    series       float32 [batch, length, channels]  scaled, one channel a column, 0 is padding
    label        int64   [batch] class index, or float32 [batch] for regression
    weight       float32 [batch]                    how much the row counts
"""

from __future__ import annotations

import collections
from typing import Any, Literal, NamedTuple

import pydantic

from components.settings import Settings

NUMERIC = "numeric"
CATEGORICAL = "categorical"
BOOLEAN = "boolean"
TIMESTAMP = "timestamp"
IMAGE = "image"
TOKENS = "tokens"
SERIES = "series"
LABEL = "label"
WEIGHT = "weight"
VOCABULARY = "vocabulary"
TOKEN_VOCABULARY = "token_vocabulary"

Problem = Literal["binary", "multiclass", "regression"]
Dtype = Literal["float", "int", "bytes"]
Kind = Literal["numeric", "categorical", "boolean", "timestamp", "image", "text", "series"]
Scale = Literal["zscore", "minmax", "log", "none"]
TimeUnit = Literal["days", "s", "ms", "us", "ns"]
Missing = Literal["mean", "median"] | float

# What a boolean is written as, in whatever case; as a number it is 0 or 1.
FALSE_WORDS = frozenset({"false", "no", "off", "f", "n", "0"})
TRUE_WORDS = frozenset({"true", "yes", "on", "t", "y", "1"})

MAX_HASH_BUCKETS = 1_000_000
_NUM_BOOLEANS = 3  # neither, false, true


class Feature(Settings):
    """One input column; `dtype` is its type in the tf.Example, `kind` how Transform treats it.

    `numeric` is scaled (`scale`; `log` is `sign(x) * log1p(|x|)`, then as `zscore`) and clipped at
    `clip` after scaling (0: not at all); a missing value is `missing`, which is a number before
    scaling. It also becomes the id of one of `buckets` quantile buckets where that is above 0.
    `categorical` becomes the id of a value in the vocabulary that all share, or in one of its own
    of `top_k` values, with those seen `min_count` times (0: as for all) and `oov_buckets` ids for
    other values; or, where `hash_buckets` is above 0, the id of its hash. `boolean` is a category
    of two. `timestamp` (a number in `unit` since
    1970, or text in ISO 8601) becomes the time of the day, of the week and of the year.

    `image` (an encoded PNG, JPEG, GIF or BMP) is decoded and brought to `height`, `width` and
    `channels`, `text` becomes the ids of its first `length` words, `series` (a list of numbers)
    its first `length` values.
    """

    name: str
    kind: Kind
    dtype: Dtype
    buckets: int = pydantic.Field(default=0, ge=0, le=1000)
    scale: Scale = "zscore"
    clip: float = pydantic.Field(default=10.0, ge=0)
    missing: Missing = "mean"
    hash_buckets: int = pydantic.Field(default=0, ge=0, le=MAX_HASH_BUCKETS)
    oov_buckets: int = pydantic.Field(default=1, ge=1, le=MAX_HASH_BUCKETS)
    top_k: int = pydantic.Field(default=0, ge=0)
    min_count: int = pydantic.Field(default=0, ge=0)
    unit: TimeUnit = "s"
    height: int = pydantic.Field(default=0, ge=0, le=4096)
    width: int = pydantic.Field(default=0, ge=0, le=4096)
    channels: Literal[0, 1, 3] = 0
    length: int = pydantic.Field(default=0, ge=0, le=65_536)


class Cross(Settings):
    """Columns whose values together are a category, so that a model can weigh the combination.

    Combinations become ids of the vocabulary, or with `hash_buckets` of their hash. A list of
    columns is short for it.
    """

    columns: tuple[str, ...] = pydantic.Field(min_length=2, max_length=4)
    hash_buckets: int = pydantic.Field(default=0, ge=0, le=MAX_HASH_BUCKETS)

    @pydantic.model_validator(mode="before")
    @classmethod
    def _list_of_columns(cls, value: Any) -> Any:
        return {"columns": value} if isinstance(value, list | tuple) else value

    @pydantic.model_validator(mode="after")
    def _columns_differ(self) -> Cross:
        if len(set(self.columns)) != len(self.columns):
            raise ValueError(f"a cross names a column twice: {', '.join(self.columns)}")
        return self

    @property
    def name(self) -> str:
        """What the cross is called beside the columns."""
        return " x ".join(self.columns)


class Slot(NamedTuple):
    """A column of the `categorical` tensor.

    Attributes:
        name: of the column or the cross.
        vocabulary: of the vocabulary its values are looked up in; empty if there is none.
        prefix: what its terms in there begin with.
        meaning: what an id of its own stands for; `{}` is its number.
        num_ids: how many ids it has of its own, beside the vocabulary's.
    """

    name: str
    vocabulary: str
    prefix: str
    meaning: str
    num_ids: int


class Label(Settings):
    """What is predicted.

    A class label names its `classes` as text, in index order. With `ratio_to`, the label is
    binary and derived: 1 where `column > above * ratio_to`, 0 where `ratio_to` is missing or 0.
    """

    column: str
    dtype: Dtype
    problem: Problem
    classes: tuple[str, ...] = ()
    ratio_to: str | None = None
    above: float | None = None

    @pydantic.model_validator(mode="after")
    def _classes_fit_the_problem(self) -> Label:
        expected = {"binary": 2, "regression": 0}.get(self.problem, max(3, len(self.classes)))
        if len(self.classes) != expected:
            raise ValueError(f"a {self.problem} label has {len(self.classes)} classes")
        return self


class DataSpec(Settings):
    """The input columns, in order, their crosses, the label, and the column that weighs the rows.

    There is at most one image and one text column; all series have one length.
    """

    features: tuple[Feature, ...] = pydantic.Field(min_length=1)
    label: Label
    weight: str | None = None
    crosses: tuple[Cross, ...] = ()

    @pydantic.model_validator(mode="after")
    def _names_differ(self) -> DataSpec:
        names = [feature.name for feature in self.features]
        names += [cross.name for cross in self.crosses]
        name, count = collections.Counter(names).most_common(1)[0]
        if count > 1:
            raise ValueError(f"two columns or crosses are named {name!r}")
        return self

    def of_kind(self, kind: str) -> tuple[Feature, ...]:
        """The features of one kind, in order."""
        return tuple(feature for feature in self.features if feature.kind == kind)

    @property
    def bucketized(self) -> tuple[Feature, ...]:
        """The numeric features that also become the id of a quantile bucket, in order."""
        return tuple(feature for feature in self.of_kind(NUMERIC) if feature.buckets)

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The columns of the `categorical` tensor, in order."""
        return (
            *(_category_slot(f, at) for at, f in enumerate(self.of_kind(CATEGORICAL))),
            *(Slot(f.name, "", "", "boolean {}", _NUM_BOOLEANS) for f in self.of_kind(BOOLEAN)),
            *(
                Slot(f.name, "", "", f"bucket {{}} of {f.buckets}", 1 + f.buckets)
                for f in self.bucketized
            ),
            *(_cross_slot(cross) for cross in self.crosses),
        )

    @property
    def vocabularies(self) -> tuple[str, ...]:
        """The names of the vocabularies of categories, in the order of their ids."""
        return tuple(dict.fromkeys(slot.vocabulary for slot in self.slots if slot.vocabulary))


def _category_slot(feature: Feature, position: int) -> Slot:
    if feature.hash_buckets:
        # The first is for a missing value.
        num_hashes = feature.hash_buckets
        return Slot(feature.name, "", "", f"hash {{}} of {num_hashes}", 1 + num_hashes)
    vocabulary = VOCABULARY
    if feature.top_k:
        vocabulary += f"_of_{position}"
    elif feature.min_count:
        vocabulary += f"_min_{feature.min_count}"
    num_unseen = feature.oov_buckets
    meaning = "unseen" if num_unseen == 1 else f"unseen {{}} of {num_unseen}"
    return Slot(feature.name, vocabulary, _prefix(feature.name), meaning, num_unseen)


def _cross_slot(cross: Cross) -> Slot:
    if cross.hash_buckets:
        return Slot(cross.name, "", "", f"hash {{}} of {cross.hash_buckets}", cross.hash_buckets)
    # No column's terms begin like this.
    return Slot(cross.name, VOCABULARY, "=" + _prefix(cross.name), "unseen", 1)


def _prefix(name: str) -> str:
    return name.replace("=", "\\=") + "="


def num_ids(spec: DataSpec, vocabulary_size: int) -> int:
    """How many ids the `categorical` tensor uses: one table of that many rows embeds all columns.

    In order: the `vocabulary_size` terms of all vocabularies, in the order of `spec.vocabularies`,
    then the ids that each slot has of its own, in the order of `spec.slots`. Those are, of a
    column with a vocabulary, for values outside it; of a hashed column, first for a missing value;
    of a boolean for neither, false and true; of a bucketized column, first for a missing value.
    """
    return vocabulary_size + sum(slot.num_ids for slot in spec.slots)

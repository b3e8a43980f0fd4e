"""What the columns mean: the one table that Transform, Trainer, Evaluator and ServingCheck share.

A `DataSpec` is resolved once, before the graph is built (from the curated schema and the
configuration, or from the data itself), and travels to the nodes as JSON.

Transform turns it into three dense tensors, in the order of `features`:

    numeric      float32 [batch, numeric_width]   scaled, missing values imputed, missing flags
    categorical  int64   [batch, num_slots]       ids, one slot a column; see `num_ids`
    label        int64   [batch] class index, or float32 [batch] for regression
"""

from __future__ import annotations

from typing import Literal

import pydantic

from components.settings import Settings

NUMERIC = "numeric"
CATEGORICAL = "categorical"
LABEL = "label"
VOCABULARY = "vocabulary"

Problem = Literal["binary", "multiclass", "regression"]
Dtype = Literal["float", "int", "bytes"]


class Feature(Settings):
    """One input column.

    `kind` says how Transform treats it: `numeric` is scaled (and also becomes the id of one of
    `buckets` quantile buckets when that is above 0), `categorical` becomes the id of a value.
    `dtype` is its type in the tf.Example.
    """

    name: str
    kind: Literal["numeric", "categorical"]
    dtype: Dtype
    buckets: int = pydantic.Field(default=0, ge=0, le=1000)


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
    """The input columns, in order, and the label."""

    features: tuple[Feature, ...] = pydantic.Field(min_length=1)
    label: Label

    def of_kind(self, kind: str) -> tuple[Feature, ...]:
        """The features of one kind, in order."""
        return tuple(feature for feature in self.features if feature.kind == kind)

    @property
    def slots(self) -> tuple[Feature, ...]:
        """The features that fill the `categorical` tensor, one slot each, in order."""
        bucketized = tuple(f for f in self.of_kind(NUMERIC) if f.buckets)
        return self.of_kind(CATEGORICAL) + bucketized


def num_ids(spec: DataSpec, vocabulary_size: int) -> int:
    """How many ids the `categorical` tensor uses: one table of that many rows embeds all columns.

    In order: the `vocabulary_size` terms of the vocabulary that all categorical columns share, one
    id a categorical column for a value outside it, then each bucketized column's ids, of which the
    first is for a missing value.
    """
    buckets = sum(1 + f.buckets for f in spec.of_kind(NUMERIC) if f.buckets)
    return vocabulary_size + len(spec.of_kind(CATEGORICAL)) + buckets

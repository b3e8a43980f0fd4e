"""Describes one column while its cells stream by, in bounded memory."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.ingestion import cells, text_stats
from components.ingestion.cells import CellType
from components.ingestion.images import ImageProfile, ImageStats

DISTINCT_CAP = 1000

_NUM_EXAMPLES = 3
_EXAMPLE_CHARACTERS = 40


@dataclasses.dataclass(frozen=True, kw_only=True)
class ColumnProfile:
    """What is known of one column.

    Attributes:
        name: the column name.
        dtype: the type its values get in a tf.Example; "empty" if no row has a value.
        num_rows: rows seen.
        num_missing: rows without a value.
        num_distinct: different values, or None for more than `DISTINCT_CAP`.
        distinct_share: different values per value: of all rows if `num_distinct` is known, else of
            the first block of rows.
        rarest_count: rows of the rarest value, or None if `num_distinct` is.
        examples: the first different values, as text, shortened.
        minimum: smallest finite value; None unless the column is numeric.
        maximum: largest finite value.
        mean: mean of the finite values.
        std: population standard deviation of the finite values.
        num_not_finite: values that are NaN or infinite.
        max_values: the most values a row has; above 1 only in TFRecord.
        words: the words of a column of text, told from its first rows.
        list_length: the most numbers a cell has, where all cells are numbers with white space
            between them; else 0.
        images: the images, where the values are images.
        no_input: why the column is no input, whatever its values.
    """

    name: str
    dtype: CellType
    num_rows: int
    num_missing: int
    num_distinct: int | None
    distinct_share: float
    rarest_count: int | None
    examples: tuple[str, ...]
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    std: float | None = None
    num_not_finite: int = 0
    max_values: int = 1
    words: text_stats.Words = dataclasses.field(default_factory=text_stats.Words)
    list_length: int = 0
    images: ImageProfile | None = None
    no_input: str | None = None


@dataclasses.dataclass
class _Moments:
    """Count, mean and squared deviations of finite values, merged block by block (Chan et al.)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    minimum: float = math.inf
    maximum: float = -math.inf
    num_not_finite: int = 0

    def add(self, values: np.ndarray[Any, Any]) -> None:
        """Adds a block of float64 or int64 values."""
        finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
        self.num_not_finite += len(values) - len(finite)
        if not len(finite):
            return
        self.minimum = min(self.minimum, finite.min().item())
        self.maximum = max(self.maximum, finite.max().item())
        # Values near the largest double may overflow when squared; the result is then infinite.
        with np.errstate(over="ignore", invalid="ignore"):
            mean = finite.mean(dtype=np.float64).item()
            squares = np.square(finite - mean).sum(dtype=np.float64).item()
        total = self.count + len(finite)
        delta = mean - self.mean
        self.squares += squares + delta * delta * self.count * len(finite) / total
        self.mean += delta * len(finite) / total
        self.count = total


class ColumnStats:
    """Collects one column; `add` takes blocks of cells, `profile` gives the result."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dtype: CellType = "empty"
        self.num_rows = 0
        self.max_values = 1
        self.images: ImageStats | None = None
        self.no_input: str | None = None
        self._words: text_stats.Words | None = None
        self._list_length: int | None = None
        self.num_missing = 0
        self._counts: dict[str, int] | None = {}
        self._examples: list[str] = []
        self._first_share = 0.0
        self._moments = _Moments()

    def add(self, block: pa.Array) -> None:
        """Adds the cells of a block of rows, texts, int64 or double; null is missing."""
        self.num_rows += len(block)
        self.num_missing += block.null_count
        present = len(block) - block.null_count
        if not present:
            return
        if self.dtype != "bytes":
            self._add_typed(block)
        if self.dtype == "bytes" and self.images is None:
            self._add_text(block.cast(pa.string()))
        if self._counts is not None:
            self._add_counts(block, present)

    def value_counts(self) -> tuple[tuple[str, int], ...] | None:
        """Every value with its number of rows, sorted by value; None for more than the cap.

        Numbers are told apart by value and written in their shortest form, so that `1` and `01` are
        one class.
        """
        if self._counts is None:
            return None
        if self.dtype in ("bytes", "empty"):
            return tuple(sorted(self._counts.items()))
        parse = int if self.dtype == "int" else float
        merged: dict[float, int] = {}
        for text, count in self._counts.items():
            value = parse(text)
            merged[value] = merged.get(value, 0) + count
        return tuple((repr(value), merged[value]) for value in sorted(merged))

    def profile(self) -> ColumnProfile:
        """What was seen so far."""
        counts = self.value_counts()
        present = self.num_rows - self.num_missing
        share = len(counts) / present if counts is not None and present else self._first_share
        numeric = self._moments if self.dtype in ("int", "float") else _Moments()
        known = numeric.count > 0
        return ColumnProfile(
            name=self.name,
            dtype=self.dtype,
            num_rows=self.num_rows,
            num_missing=self.num_missing,
            num_distinct=None if counts is None else len(counts),
            distinct_share=share,
            rarest_count=min((count for _, count in counts), default=0) if counts else None,
            examples=tuple(self._examples),
            minimum=numeric.minimum if known else None,
            maximum=numeric.maximum if known else None,
            mean=numeric.mean if known else None,
            std=math.sqrt(numeric.squares / numeric.count) if known else None,
            num_not_finite=numeric.num_not_finite,
            max_values=self.max_values,
            words=self._words or text_stats.Words(),
            list_length=self._list_length or 0,
            images=self.images.profile() if self.images else None,
            no_input=self.no_input,
        )

    def _add_typed(self, block: pa.Array) -> None:
        self.dtype = cells.widest(self.dtype, cells.type_of_all(block))
        if self.dtype == "bytes":
            return
        values = cells.to_ints(block) if self.dtype == "int" else cells.to_floats(block)
        self._moments.add(values.drop_null().to_numpy(zero_copy_only=False))

    def _add_text(self, block: pa.StringArray) -> None:
        if self._words is None:
            self._words = text_stats.count_words(block)
        if self._list_length != 0:
            longest = text_stats.longest_list(block)
            self._list_length = max(self._list_length or 0, longest) if longest else 0

    def _add_counts(self, block: pa.Array, present: int) -> None:
        assert self._counts is not None
        found = pc.value_counts(block)
        first = not self._counts
        values = found.field("values").cast(pa.string())
        if first:
            self._first_share = (len(found) - (block.null_count > 0)) / present
            shown = values.slice(0, _NUM_EXAMPLES + 1).drop_null().to_pylist()[:_NUM_EXAMPLES]
            self._examples = [text[:_EXAMPLE_CHARACTERS] for text in shown]
        if len(found) > DISTINCT_CAP + 1:
            self._counts = None
            return
        for text, count in zip(values.to_pylist(), found.field("counts").to_pylist(), strict=True):
            if text is not None:
                self._counts[text] = self._counts.get(text, 0) + count
        if len(self._counts) > DISTINCT_CAP:
            self._counts = None

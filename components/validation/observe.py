"""Looks at one column while its values stream by: what its schema forbids, and what none says.

The gate and `python -m pipeline.schema check` both look with this, so that they agree. Memory is
bounded: counts, a few examples, and at most `DISTINCT_CAP` different values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.validation.cells import FLOAT, INT, TEXT, Array, Cells, as_numbers, shown
from components.validation.contract import Contract

DISTINCT_CAP = 1000

_FLOAT32_MAX = float(np.finfo(np.float32).max)
_MAX_EXAMPLES = 3
_LARGE_BYTES = 4096


@dataclass
class Tally:
    """How many values break a rule, and the first different ones with their rows."""

    count: int = 0
    examples: list[tuple[Any, int]] = field(default_factory=list)

    def add(self, cells: Cells, first_row: int) -> None:
        """Adds values; `first_row` is the number of the batch's first row."""
        self.count += len(cells.values)
        if len(self.examples) >= _MAX_EXAMPLES or not len(cells.values):
            return
        seen = {repr(value) for value, _ in self.examples}
        for value, row in zip(cells.values.slice(0, 1000).to_pylist(), cells.rows, strict=False):
            if repr(value) not in seen and len(self.examples) < _MAX_EXAMPLES:
                seen.add(repr(value))
                self.examples.append((value, first_row + int(row)))

    def add_rows(self, rows: Array, texts: list[str], first_row: int) -> None:
        """Adds whole rows, described by `texts`."""
        self.count += len(rows)
        for row, text in zip(rows, texts, strict=False):
            if len(self.examples) < _MAX_EXAMPLES:
                self.examples.append((text, first_row + int(row)))


class ColumnObserver:
    """Collects one column; `add` takes it batch by batch."""

    def __init__(self, name: str, contract: Contract | None, *, is_opaque: bool = False) -> None:
        """Starts with nothing seen.

        Args:
            name: the column.
            contract: what the schema says of it; None for a column that it does not know.
            is_opaque: whether the values are no text, such as images: they are only counted.
        """
        self.name = name
        self.contract = contract
        self.num_rows = 0
        self.num_missing = 0
        self.num_values = 0
        self.num_unlike = 0
        self.min_values: int | None = None
        self.max_values = 0
        self.kinds: Counter[str] = Counter()
        self.minimum: float | None = None
        self.maximum: float | None = None
        self.tallies: dict[str, Tally] = {}
        self.counts: dict[Any, int] | None = {}
        self._is_opaque = is_opaque

    def add(self, cells: Cells, first_row: int) -> None:
        """Adds a batch of rows whose first one has the number `first_row`."""
        self.num_rows += cells.num_rows
        lengths = cells.lengths()
        present = lengths > 0
        self.num_missing += cells.num_rows - int(present.sum())
        self._add_lengths(lengths, present, first_row)
        if not len(cells.values):
            return
        self.num_values += len(cells.values)
        self.kinds[cells.kind] += len(cells.values)
        if self._is_opaque or _is_large(cells):
            self._is_opaque = True
            self.counts = None
            return
        self._add_counts(cells)
        if cells.kind == TEXT:
            self._add_text(cells, first_row)
        else:
            self._add_number(cells, first_row)

    @property
    def kind(self) -> str:
        """The widest type seen; empty if there was no value."""
        return next((kind for kind in (TEXT, FLOAT, INT) if self.kinds[kind]), "")

    @property
    def num_present(self) -> int:
        """Rows that have a value."""
        return self.num_rows - self.num_missing

    def tally(self, rule: str) -> Tally:
        """What breaks a rule; nothing so far, if it was not met."""
        return self.tallies.get(rule, Tally())

    def _tally(self, rule: str, cells: Cells, first_row: int) -> None:
        if len(cells.values):
            self.tallies.setdefault(rule, Tally()).add(cells, first_row)

    def _add_lengths(self, lengths: Array, present: Array, first_row: int) -> None:
        if not present.any():
            return
        low, high = int(lengths[present].min()), int(lengths.max())
        self.min_values = low if self.min_values is None else min(self.min_values, low)
        self.max_values = max(self.max_values, high)
        if self.contract is None:
            return
        least, most = self.contract.min_values, self.contract.max_values
        wrong = present & ((lengths < least) | (lengths > most if most is not None else False))
        rows = np.flatnonzero(wrong)
        if len(rows):
            texts = [f"{lengths[row]} values" for row in rows[:_MAX_EXAMPLES]]
            self.tallies.setdefault("value_count", Tally()).add_rows(rows, texts, first_row)

    def _add_counts(self, cells: Cells) -> None:
        """Counts values, up to the cap; and how many differ, batch by batch."""
        if self.counts is None and cells.kind != TEXT:
            return
        found = pc.value_counts(cells.values)
        self.num_unlike += len(found)
        if self.counts is None:
            return
        if len(found) > DISTINCT_CAP:
            self.counts = None
            return
        counts = found.field("counts").to_pylist()
        for value, count in zip(found.field("values").to_pylist(), counts, strict=True):
            key = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
            self.counts[key] = self.counts.get(key, 0) + count
        if len(self.counts) > DISTINCT_CAP:
            self.counts = None

    def _add_text(self, cells: Cells, first_row: int) -> None:
        wanted = self.contract.kind if self.contract is not None else TEXT
        if wanted in (INT, FLOAT):
            numbers, fits = as_numbers(cells, wanted)
            self._tally("wrong_type", cells.part(~fits), first_row)
            self._add_number(numbers, first_row)
            return
        valid = _decoded(cells)
        self._tally("invalid_utf8", cells.part(~valid), first_row)
        texts = cells.part(valid)
        values = texts.values.cast(pa.large_string())
        blank = _mask(pc.equal(pc.binary_length(pc.utf8_trim_whitespace(values)), 0))
        self._tally("empty_text", texts.part(blank), first_row)
        number = _mask(
            pc.match_substring_regex(values, r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$")
        )
        self._tally("number_as_text", texts.part(number), first_row)
        if self.contract is not None and self.contract.strings is not None:
            known = _mask(pc.is_in(values, pa.array(sorted(self.contract.strings), values.type)))
            self._tally("out_of_domain", texts.part(~known), first_row)

    def _add_number(self, cells: Cells, first_row: int) -> None:
        numbers = cells.numbers()
        if self.contract is not None and self.contract.kind == TEXT:
            self._tally("wrong_type", cells, first_row)
        if self.contract is not None and self.contract.kind == INT and cells.kind == FLOAT:
            self._tally("wrong_type", cells.part(numbers != np.floor(numbers)), first_row)
        if cells.kind == FLOAT:
            missing = np.isnan(numbers)
            huge = np.abs(numbers) > _FLOAT32_MAX
            self._tally("nan", cells.part(missing), first_row)
            self._tally("beyond_float32", cells.part(huge), first_row)
            cells = cells.part(~missing)
            numbers = numbers[~missing]
        if not len(numbers):
            return
        low, high = numbers.min().item(), numbers.max().item()
        self.minimum = low if self.minimum is None else min(self.minimum, low)
        self.maximum = high if self.maximum is None else max(self.maximum, high)
        if self.contract is not None:
            outside = np.zeros(len(numbers), bool)
            if self.contract.minimum is not None:
                outside |= numbers < self.contract.minimum
            if self.contract.maximum is not None:
                outside |= numbers > self.contract.maximum
            self._tally("out_of_range", cells.part(outside), first_row)


def example_texts(tally: Tally, place: Callable[[int], str]) -> tuple[str, ...]:
    """The examples of a tally with their places.

    Args:
        tally: what was found.
        place: names a row, by its number from 0.
    """
    return tuple(
        f"{value if str(value).endswith(' values') else shown(value)} in {place(row)}"
        for value, row in tally.examples
    )


def _decoded(cells: Cells) -> Array:
    """Which values are UTF-8."""
    if pa.types.is_string(cells.values.type) or pa.types.is_large_string(cells.values.type):
        return np.ones(len(cells.values), bool)
    try:
        cells.values.cast(pa.large_string())
    except pa.ArrowInvalid:
        return np.array([_is_utf8(value) for value in cells.values.to_pylist()], bool)
    return np.ones(len(cells.values), bool)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_large(cells: Cells) -> bool:
    """Whether the values are too large to be told apart: images, documents."""
    return cells.kind == TEXT and cells.values.nbytes > _LARGE_BYTES * len(cells.values)


def _mask(found: pa.Array) -> Array:
    return found.to_numpy(zero_copy_only=False).astype(bool)

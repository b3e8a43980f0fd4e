"""Looks at whole rows: repeated ones, inputs in both splits, inputs that tell the label."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

from components.features import BOOLEAN, CATEGORICAL, NUMERIC, TIMESTAMP, DataSpec, Label
from components.validation.cells import FLOAT, TEXT, Array, Cells
from components.validation.columns import MIN_ROWS, Reader
from components.validation.findings import Finding, share

# Enough rows to see that an input tells the label; a chance pattern breaks far earlier.
LEAK_ROWS = 50_000

_MIN_ROWS_OF_CLASS = 10
_MIN_ROWS_OF_VALUE = 5
# Inputs that take few values repeat by nature; only where rows are mostly different is a repeated
# one suspicious.
_MOSTLY_DIFFERENT = 0.5
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SHOWN = 3


class RowObserver:
    """Collects the rows of one split: 16 bytes a row, and the inputs of the first rows."""

    def __init__(self, spec: DataSpec | None) -> None:
        """Starts with nothing seen.

        Args:
            spec: the inputs and the label; None where they are unknown.
        """
        self._spec = spec
        self._inputs = {item.name for item in spec.features} if spec else set()
        self._rows: list[Array] = []
        self._input_rows: list[Array] = []
        self._values: dict[str, list[Array]] = {}
        self._num_kept = 0

    def add(self, batch: Mapping[str, Cells], num_rows: int) -> None:
        """Adds a batch of rows, column by column."""
        whole = np.zeros(num_rows, np.uint64)
        inputs = np.zeros(num_rows, np.uint64)
        for name in sorted(batch):
            # A sum: a column without a value in the batch adds nothing, as a missing cell does.
            hashed = _hashed(batch[name]) * _factor(name)
            whole += hashed
            if name in self._inputs:
                inputs += hashed
        self._rows.append(whole)
        self._input_rows.append(inputs)
        if self._spec is not None and self._num_kept < LEAK_ROWS:
            self._keep(batch, num_rows)

    @property
    def rows(self) -> Array:
        """uint64 [rows], a hash of each row."""
        return np.concatenate(self._rows) if self._rows else np.zeros(0, np.uint64)

    @property
    def input_rows(self) -> Array:
        """uint64 [rows], a hash of each row's inputs."""
        return np.concatenate(self._input_rows) if self._input_rows else np.zeros(0, np.uint64)

    def values(self, name: str) -> Array | None:
        """float64 or uint64 [rows], the first rows of a column; NaN or 0 is missing."""
        parts = self._values.get(name)
        if not parts:
            return None
        if any(part.dtype == np.uint64 for part in parts):
            # A batch without any value has no type of its own.
            parts = [
                np.zeros(len(part), np.uint64)
                if part.dtype != np.uint64 and np.isnan(part).all()
                else part
                for part in parts
            ]
        return np.concatenate(parts) if len({part.dtype for part in parts}) == 1 else None

    def _keep(self, batch: Mapping[str, Cells], num_rows: int) -> None:
        assert self._spec is not None
        label = self._spec.label
        scalars = (NUMERIC, CATEGORICAL, BOOLEAN, TIMESTAMP)
        kept = {f.name for f in self._spec.features if f.kind in scalars}
        for name in kept | {label.column} | ({label.ratio_to} if label.ratio_to else set()):
            cells = batch.get(name)
            if cells is None:
                cells = Cells(pa.array([], pa.float64()), np.zeros(0, np.int64), num_rows)
            self._values.setdefault(name, []).append(_first_values(cells))
        self._num_kept += num_rows


def duplicates(rows: RowObserver, reader: Reader) -> Iterator[Finding]:
    """Rows that repeat an earlier one."""
    hashes = rows.rows
    unique, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    count = len(hashes) - len(unique)
    if not count:
        return
    repeated = np.flatnonzero(first[inverse] != np.arange(len(hashes)))[:_SHOWN]
    pairs = [(int(first[inverse[row]]), int(row)) for row in repeated]
    yield Finding(
        rule="duplicate_rows",
        feature="",
        split=reader.split,
        observed=f"{share(count, len(hashes))} rows repeat an earlier one",
        count=count,
        total=len(hashes),
        examples=tuple(f"{reader.place(b)} repeats {reader.place(a)}" for a, b in pairs),
        fix=reader.fixes.of("duplicate_rows", ""),
    )


def overlap(train: RowObserver, evaluated: RowObserver, reader: Reader) -> Iterator[Finding]:
    """Eval rows whose inputs are also in the train split, where inputs are mostly different."""
    known, hashes = np.unique(train.input_rows), evaluated.input_rows
    if not len(hashes) or len(known) < _MOSTLY_DIFFERENT * len(train.input_rows):
        return
    both = np.isin(hashes, known)
    count = int(both.sum())
    if count:
        rows = np.flatnonzero(both)[:_SHOWN]
        yield Finding(
            rule="split_overlap",
            feature="",
            split=reader.split,
            observed=f"{share(count, len(hashes))} rows have inputs that the train split also has",
            count=count,
            total=len(hashes),
            examples=tuple(reader.place(int(row)) for row in rows),
            fix=reader.fixes.of("split_overlap", ""),
        )


def leaks(rows: RowObserver, spec: DataSpec, reader: Reader) -> Iterator[Finding]:
    """Inputs that equal the label, or from whose value alone the label follows in every row."""
    label = labels(rows, spec.label)
    if label is None:
        return
    for feature in spec.features:
        values = rows.values(feature.name)
        if values is None:
            continue
        is_code = feature.kind in (CATEGORICAL, BOOLEAN)
        how = _tells(values, label, spec.label, is_code=is_code)
        if how:
            yield Finding(
                rule="leakage",
                feature=feature.name,
                split=reader.split,
                observed=f"{how} in all of {len(values):,} rows",
                fix=reader.fixes.of("leakage", feature.name),
            )


def labels(rows: RowObserver, label: Label) -> Array | None:
    """float64 or uint64 [rows], the label of the first rows; derived where it is."""
    values = rows.values(label.column)
    if values is None or label.ratio_to is None:
        return values
    base = rows.values(label.ratio_to)
    if base is None or values.dtype != np.float64 or base.dtype != np.float64:
        return None
    above = values.astype(np.float32) > np.float32(label.above) * base.astype(np.float32)
    return np.where(base > 0, above, False).astype(np.float64)


def _tells(values: Array, label: Array, spec: Label, *, is_code: bool) -> str:
    """How the values tell the label; empty if they do not."""
    known = label != 0 if label.dtype == np.uint64 else ~np.isnan(label)
    values, label = values[known], label[known]
    if len(label) < MIN_ROWS or (label == label[0]).all():
        return ""
    if values.dtype == label.dtype and np.array_equal(values, label):
        return f"it equals the label {spec.column!r}"
    if spec.problem == "regression":
        return _is_scaled(values, label)
    classes, index = np.unique(label, return_inverse=True)
    if np.bincount(index).min() < _MIN_ROWS_OF_CLASS:
        return ""
    if is_code or values.dtype == np.uint64:
        return _is_code_of(values, index)
    return _is_split(values, index, len(classes))


def _is_scaled(values: Array, label: Array) -> str:
    if values.dtype != np.float64 or np.isnan(values).any() or values.std() == 0:
        return ""
    correlation = float(np.corrcoef(values, label)[0, 1])
    return "it is the label, shifted and scaled," if abs(correlation) > 1 - 1e-9 else ""


def _is_code_of(values: Array, label: Array) -> str:
    """Each value always comes with one class, and values repeat."""
    codes, index = np.unique(values, return_inverse=True)
    if len(codes) < 2 or len(values) < _MIN_ROWS_OF_VALUE * len(codes):
        return ""
    pairs = np.unique(np.stack([index, label]), axis=1).shape[1]
    return f"each of its {len(codes)} values has one label" if pairs == len(codes) else ""


def _is_split(values: Array, label: Array, num_classes: int) -> str:
    """The classes lie in ranges of the values that do not overlap."""
    missing = np.isnan(values)
    if missing.any():
        # Missing values may be all of one class, which is a code as well.
        return _is_code_of(missing.astype(np.float64), label)
    bounds = sorted(
        (values[label == item].min(), values[label == item].max()) for item in range(num_classes)
    )
    apart = all(high < low for (_, high), (low, _) in itertools.pairwise(bounds))
    return "the classes lie in ranges of it that do not overlap" if apart else ""


def _factor(name: str) -> np.uint64:
    digest = hashlib.sha256(name.encode()).digest()
    return np.uint64(int.from_bytes(digest[:8], "little") | 1)


def _hashed(cells: Cells) -> Array:
    """uint64 [rows], a hash of the values of each row."""
    hashes = np.zeros(cells.num_rows, np.uint64)
    if not len(cells.values):
        return hashes
    if cells.is_single():
        hashes[cells.rows] = _value_hashes(cells)
        return hashes
    starts = np.searchsorted(cells.rows, cells.rows)
    position = (np.arange(len(cells.rows)) - starts + 1).astype(np.uint64)
    np.add.at(hashes, cells.rows, _value_hashes(cells) * (position * _FACTOR | np.uint64(1)))
    return hashes


def _value_hashes(cells: Cells) -> Array:
    """uint64, equal for equal values in this process."""
    if cells.kind == TEXT:
        encoded = cells.values.dictionary_encode()
        texts = encoded.dictionary.to_pylist()
        table = np.fromiter(map(hash, texts), np.int64, len(texts)).view(np.uint64)
        return table[encoded.indices.to_numpy(zero_copy_only=False)] | np.uint64(1)
    # The finalizer of splitmix64. Adding 0 makes -0.0 and 0.0 one value.
    bits = (cells.numbers() + 0).astype(np.float64 if cells.kind == FLOAT else np.int64)
    mixed = bits.view(np.uint64) + _FACTOR
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> np.uint64(27))


def _first_values(cells: Cells) -> Array:
    """The first value of each row: float64 of numbers, uint64 hashes of text."""
    _, first = np.unique(cells.rows, return_index=True)
    if cells.kind == TEXT:
        texts = np.zeros(cells.num_rows, np.uint64)
        texts[cells.rows[first]] = _value_hashes(cells)[first]
        return texts
    numbers = np.full(cells.num_rows, np.nan)
    numbers[cells.rows[first]] = cells.numbers()[first]
    return numbers

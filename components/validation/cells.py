"""One column of a batch of rows, and what its text means as numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa

Array = np.ndarray[Any, Any]

INT, FLOAT, TEXT = "int", "float", "bytes"

_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1


@dataclasses.dataclass(frozen=True)
class Cells:
    """The values of one column in a batch of rows.

    Attributes:
        values: the values that are there, one after the other: int64, float, string or binary.
        rows: int64, the row of each value within the batch, ascending.
        num_rows: rows of the batch.
    """

    values: pa.Array
    rows: Array
    num_rows: int

    @property
    def kind(self) -> str:
        """`int`, `float` or `bytes`."""
        if pa.types.is_integer(self.values.type):
            return INT
        return FLOAT if pa.types.is_floating(self.values.type) else TEXT

    def numbers(self) -> Array:
        """The values as a numpy array of numbers."""
        return self.values.to_numpy(zero_copy_only=False)

    def lengths(self) -> Array:
        """How many values each row has."""
        return np.bincount(self.rows, minlength=self.num_rows)

    def is_single(self) -> bool:
        """Whether no row has more than one value."""
        return len(self.rows) < 2 or bool((np.diff(self.rows) > 0).all())

    def part(self, chosen: Array) -> Cells:
        """The values where the mask is true; as many rows as before."""
        return Cells(self.values.filter(pa.array(chosen)), self.rows[chosen], self.num_rows)


def from_column(column: pa.Array) -> Cells:
    """Cells of an Arrow column: of single values, or of lists of values; null is missing."""
    if not _is_list(column.type):
        valid = column.is_valid().to_numpy(zero_copy_only=False)
        return Cells(column.drop_null(), np.flatnonzero(valid), len(column))
    lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    values = column.flatten()
    while _is_list(values.type):
        values = values.flatten()
    rows = np.repeat(np.arange(len(column)), lengths)
    if len(rows) != len(values):
        raise ValueError(f"lists within lists are not read: {column.type}")
    return Cells(values, rows, len(column))


def text_kind(text: bytes) -> str:
    """What Python reads a text as; numbers are written in ASCII."""
    try:
        return INT if _INT64_MIN <= int(text) <= _INT64_MAX else TEXT
    except ValueError:
        pass
    try:
        float(text)
    except ValueError:
        return TEXT
    return FLOAT


def as_numbers(cells: Cells, wanted: str) -> tuple[Cells, Array]:
    """Text read as numbers.

    Args:
        cells: text.
        wanted: `int`, or `float`, which takes whole numbers too.

    Returns:
        The values that are such numbers, and a mask over the given values: false for the others.
    """
    encoded = cells.values.dictionary_encode()
    texts = [_bytes(value) for value in encoded.dictionary.to_pylist()]
    kinds = [text_kind(text) for text in texts]
    fits = np.array([kind == wanted or (kind == INT and wanted == FLOAT) for kind in kinds], bool)
    index = encoded.indices.to_numpy(zero_copy_only=False)
    mask = fits[index] if len(index) else np.zeros(0, bool)
    parse = int if wanted == INT else float
    table = np.array(
        [parse(text) if ok else 0 for text, ok in zip(texts, fits, strict=True)],
        np.int64 if wanted == INT else np.float64,
    )
    numbers = pa.array(table[index[mask]] if len(index) else table[:0])
    return Cells(numbers, cells.rows[mask], cells.num_rows), mask


def shown(value: Any) -> str:
    """A value as a user would write it, shortened."""
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return repr(value[:40]).removeprefix("b")
    if isinstance(value, float):
        return f"{value:.7g}"
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:39] + "…")
    return str(value)


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _is_list(of: pa.DataType) -> bool:
    return pa.types.is_list(of) or pa.types.is_large_list(of)

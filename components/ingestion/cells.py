"""What the text of a CSV cell means: an int64, a float, or bytes. Exactly as Python reads numbers.

The rules are those of TFX's CsvExampleGen (`tfx_bsl.coders.csv_decoder.ColumnTypeInferrer`), so a
column has the same type here as there: an empty cell is missing and says nothing; a text that
`int()` accepts is an int if it fits 64 bits and else makes its column bytes; what `float()`
accepts is a float; anything else is bytes. A column has the widest type of its cells.

The cells of a Parquet file have a type of their own (see `components.ingestion.parquet`); here they
are only widened, as in a table whose other files say so.

Arrow's parsers are fast but read some texts differently (`0x1F`, `+5`, ` 5 `, `1_000`), so they
only see arrays made of plain digits; the rest goes value by value through Python.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# "empty": no cell of the column has a value. The last two are never told from one cell: "floats"
# is a text of numbers with white space between them, "image" a whole encoded image.
CellType = Literal["empty", "int", "float", "bytes", "floats", "image"]

_TYPES: dict[pa.DataType, CellType] = {
    pa.int64(): "int",
    pa.float64(): "float",
    pa.binary(): "bytes",
}
_WIDTH: dict[str, int] = {"empty": 0, "int": 1, "float": 2, "bytes": 3}
_INT_CHARACTERS = b"-0123456789"
_SIGNED_INT_CHARACTERS = b"+-0123456789"
_FLOAT_CHARACTERS = b"-0123456789.eE+"
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1
_INT64_LIMIT = float(2**63)


class CellError(ValueError):
    """A text that does not have the type of its column."""

    def __init__(self, text: str, dtype: CellType) -> None:
        super().__init__(f"{text!r} is not {'an int64' if dtype == 'int' else 'a number'}")
        self.text = text


def widest(first: CellType, second: CellType) -> CellType:
    """The type that holds the values of both."""
    return first if _WIDTH[first] >= _WIDTH[second] else second


def type_of(text: str) -> CellType:
    """The type of one cell."""
    if not text:
        return "empty"
    # As bytes, like the stock reader: only ASCII digits make a number.
    cell = text.encode()
    try:
        return "int" if _INT64_MIN <= int(cell) <= _INT64_MAX else "bytes"
    except ValueError:
        pass
    try:
        float(cell)
    except ValueError:
        return "bytes"
    return "float"


def type_of_all(cells: pa.Array) -> CellType:
    """The widest type of the cells.

    Args:
        cells: one text or number a row; null is a missing cell.
    """
    if cells.null_count == len(cells):
        return "empty"
    if not pa.types.is_string(cells.type):
        return _TYPES[cells.type]
    if _fast_ints(cells) is not None:
        return "int"
    if not _made_of(cells, _SIGNED_INT_CHARACTERS) and _fast_floats(cells) is not None:
        return "float"
    found: CellType = "empty"
    for text in pc.unique(cells).to_pylist():
        found = widest(found, type_of(text or ""))
        if found == "bytes":
            break
    return found


def to_ints(cells: pa.Array) -> pa.Int64Array:
    """The cells as int64; missing stays null. Raises CellError for one that is no int64."""
    if not pa.types.is_string(cells.type):
        return _typed(cells, "int", pa.int64())
    fast = _fast_ints(cells)
    return _by_value(cells, "int") if fast is None else fast


def to_floats(cells: pa.Array) -> pa.DoubleArray:
    """The cells as float64; missing stays null. Raises CellError for one that is no number."""
    if not pa.types.is_string(cells.type):
        return _typed(cells, "float", pa.float64())
    fast = _fast_floats(cells)
    return _by_value(cells, "float") if fast is None else fast


def _typed(cells: pa.Array, dtype: CellType, arrow_type: pa.DataType) -> pa.Array:
    """Cells that have a type already."""
    found = type_of_all(cells)
    if widest(found, dtype) != dtype:
        value = cells.drop_null()[0].as_py()
        raise CellError(repr(value) if found == "bytes" else str(value), dtype)
    return cells.cast(arrow_type, safe=False)


def _by_value(cells: pa.StringArray, dtype: CellType) -> pa.Array:
    encoded = cells.dictionary_encode()
    values: list[float] = []
    for text in encoded.dictionary.to_pylist():
        if widest(type_of(text), dtype) != dtype:
            raise CellError(text, dtype)
        values.append(int(text.encode()) if dtype == "int" else float(text.encode()))
    arrow_type = pa.int64() if dtype == "int" else pa.float64()
    return pa.array(values, arrow_type).take(encoded.indices)


def _fast_ints(cells: pa.StringArray) -> pa.Int64Array | None:
    if not _made_of(cells, _INT_CHARACTERS):
        return None
    try:
        return pc.cast(cells, pa.int64())
    except pa.ArrowInvalid:
        return None


def _fast_floats(cells: pa.StringArray) -> pa.DoubleArray | None:
    if not _made_of(cells, _FLOAT_CHARACTERS):
        return None
    try:
        values = pc.cast(cells, pa.float64())
    except pa.ArrowInvalid:
        return None
    # Digits beyond 64 bits make bytes, which only the text can tell.
    bounds = pc.min_max(values).as_py()
    if bounds["min"] is not None and not (
        bounds["min"] > -_INT64_LIMIT and bounds["max"] < _INT64_LIMIT
    ):
        return None
    return values


def _made_of(cells: pa.StringArray, characters: bytes) -> bool:
    """Whether the texts contain no other characters, told from their one shared buffer."""
    _, offsets, data = cells.buffers()
    if data is None or len(cells) == 0:
        return True
    ends = np.frombuffer(offsets, np.int32)[cells.offset : cells.offset + len(cells) + 1]
    text = data[int(ends[0]) : int(ends[-1])].to_pybytes()
    return not text.translate(None, characters)

"""Turns a batch of rows into serialized tf.Examples, whole columns at a time.

The bytes are those of `Example.SerializeToString(deterministic=True)`: features sorted by name. The
split of a row is a hash of these bytes, so they must be the same in every process. (The
`RecordBatchToExamplesEncoder` of tfx_bsl writes features in an order that changes from call to
call.)

The wire format, https://protobuf.dev/programming-guides/encoding, of one row:

    Example   0a <len> Features
    Features  for each column: 0a <len> ( 0a <len> name  12 <len> Feature )
    Feature   0a <len> ( 0a <len> text )      bytes
              12 <len> ( 0a <len> 4 bytes )   float
              1a <len> ( 0a <len> varint )    int
              nothing                         a missing cell

TFX's CsvExampleGen writes a missing cell as an empty list, which TensorFlow Data Validation counts
as present: no rule about presence can then find a gap.

What comes before a value depends on nothing but the value's length, so a column is encoded by
looking up prefixes by length and letting Arrow join them with the values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.ingestion import cells
from components.ingestion.cells import CellType

_FIELD_1, _FIELD_2 = b"\x0a", b"\x12"
_KIND_TAGS = {"bytes": b"\x0a", "float": b"\x12", "int": b"\x1a"}


class ColumnError(ValueError):
    """A cell does not have the type of its column."""

    def __init__(self, column: str, text: str, dtype: str) -> None:
        super().__init__(f"column {column!r} is {dtype}, but a cell is {text!r}")
        self.column, self.text, self.dtype = column, text, dtype


def encode(batch: pa.RecordBatch, column_types: Mapping[str, CellType]) -> pa.LargeBinaryArray:
    """One serialized tf.Example a row.

    Args:
        batch: string columns; null is a missing cell.
        column_types: the type of each column.

    Raises:
        ColumnError: a cell does not have the type of its column.
    """
    parts: list[pa.Array] = []
    for name in sorted(batch.schema.names, key=str.encode):
        parts += _column_parts(name, batch.column(name), column_types[name])
    features = _join(parts)
    lengths = pc.binary_length(features)
    return _join([_by_length(lengths, lambda length: _FIELD_1 + _varint(length)), features])


def _column_parts(name: str, column: pa.StringArray, dtype: CellType) -> list[pa.Array]:
    """The map entries of a column, in pieces to be joined: what precedes the values, the values."""
    key = name.encode()
    if dtype == "empty":
        if column.null_count != len(column):
            raise ColumnError(name, column.drop_null()[0].as_py(), "always empty")
        return [_repeat(_entry(key, b""), len(column))]
    kind = _KIND_TAGS[dtype]
    try:
        values = _VALUES[dtype](column)
    except cells.CellError as error:
        raise ColumnError(name, error.text, dtype) from error
    missing = _entry(key, b"")
    if values.null_count == len(values):
        return [_repeat(missing, len(values))]
    # -1 stands for missing.
    lengths = pc.fill_null(pc.binary_length(values), -1)

    def prefix(length: int) -> bytes:
        return missing if length < 0 else _prefix(key, kind, length)

    return [_by_length(lengths, prefix), pc.fill_null(values, b"")]


def _prefix(key: bytes, kind: bytes, length: int) -> bytes:
    """All bytes of a map entry before its value of `length` bytes."""
    value_head = _FIELD_1 + _varint(length)
    feature_head = kind + _varint(len(value_head) + length)
    return _entry(key, feature_head + value_head, length)


def _entry(key: bytes, feature: bytes, more: int = 0) -> bytes:
    """A map entry whose feature is these bytes and `more` bytes that follow."""
    body = _FIELD_1 + _varint(len(key)) + key + _FIELD_2 + _varint(len(feature) + more) + feature
    return _FIELD_1 + _varint(len(body) + more) + body


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _by_length(lengths: pa.Array, prefix: Callable[[int], bytes]) -> pa.Array:
    """`prefix(length)` of each row, computed once a length."""
    encoded = lengths.dictionary_encode()
    table = [prefix(length) for length in encoded.dictionary.to_pylist()]
    return pa.array(table, pa.large_binary()).take(encoded.indices)


def _join(parts: list[pa.Array]) -> pa.LargeBinaryArray:
    return pc.binary_join_element_wise(*parts, pa.scalar(b"", pa.large_binary()))


def _repeat(value: bytes, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, pa.large_binary()), count)


def _text_values(column: pa.StringArray) -> pa.Array:
    return column.cast(pa.large_binary())


def _float_values(column: pa.StringArray) -> pa.Array:
    """Four bytes a value, little endian, rounded to the nearest float32."""
    numbers = cells.to_floats(column)
    valid = numbers.is_valid().to_numpy(zero_copy_only=False)
    # Beyond the float32 range is infinite, as in protobuf.
    with np.errstate(over="ignore"):
        data = pc.fill_null(numbers, 0.0).to_numpy().astype("<f4")
    return _binary(data.view(np.uint8), np.full(len(data), 4, np.int64), valid)


def _int_values(column: pa.StringArray) -> pa.Array:
    """One varint a value; a negative number takes ten bytes."""
    numbers = cells.to_ints(column)
    valid = numbers.is_valid().to_numpy(zero_copy_only=False)
    rest = pc.fill_null(numbers, 0).to_numpy().view(np.uint64)
    num_groups = max(1, -(-int(rest.max(initial=0)).bit_length() // 7))
    shifts = np.arange(num_groups, dtype=np.uint64) * np.uint64(7)
    groups = rest[:, np.newaxis] >> shifts
    # A group is written if it or a higher one is not zero; the first always.
    written = groups > 0
    written[:, 0] = True
    data = (groups & np.uint64(0x7F)).astype(np.uint8)
    data[:, :-1] |= written[:, 1:].astype(np.uint8) << 7
    return _binary(data[written], written.sum(axis=1, dtype=np.int64), valid)


def _binary(
    data: np.ndarray[Any, Any], lengths: np.ndarray[Any, Any], valid: np.ndarray[Any, Any]
) -> pa.Array:
    """A binary array of values that lie one after the other; null where not `valid`."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    bitmap = None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
    buffers = [bitmap, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data))]
    return pa.Array.from_buffers(pa.large_binary(), len(lengths), buffers)


_VALUES: dict[str, Callable[[pa.StringArray], pa.Array]] = {
    "bytes": _text_values,
    "float": _float_values,
    "int": _int_values,
}

"""Turns a batch of rows into serialized tf.Examples, whole columns at a time.

The bytes are those of `Example.SerializeToString(deterministic=True)`: features sorted by name. The
split of a row is a hash of these bytes, so they must be the same in every process. (The
`RecordBatchToExamplesEncoder` of tfx_bsl writes features in an order that changes from call to
call.)

The wire format, https://protobuf.dev/programming-guides/encoding, of one row:

    Example   0a <len> Features
    Features  for each column: 0a <len> ( 0a <len> name  12 <len> Feature )
    Feature   0a <len> ( 0a <len> text )      bytes
              12 <len> ( 0a <len> 4 bytes )   float; 4 bytes for each number of a list
              1a <len> ( 0a <len> varint )    int
              0a <len> ( 0a <len> text … )    bytes of a list of texts
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
from components.ingestion.text_stats import split_numbers

_FIELD_1, _FIELD_2 = b"\x0a", b"\x12"
_KIND_TAGS = {
    "bytes": b"\x0a",
    "float": b"\x12",
    "int": b"\x1a",
    "floats": b"\x12",
    "image": b"\x0a",
}


class ColumnError(ValueError):
    """A cell does not have the type of its column."""

    def __init__(self, column: str, text: str, dtype: str) -> None:
        super().__init__(f"column {column!r} is {dtype}, but a cell is {text!r}")
        self.column, self.text, self.dtype = column, text, dtype


def encode(batch: pa.RecordBatch, column_types: Mapping[str, CellType]) -> pa.LargeBinaryArray:
    """One serialized tf.Example a row.

    Args:
        batch: text columns of a CSV file, or the typed ones of Parquet; null is a missing cell.
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


def feature(value: int | str | bytes) -> bytes:
    """The serialized Feature of one value, as a tf.Example holds it."""
    if isinstance(value, int):
        value, tag = _varint(value & 0xFFFF_FFFF_FFFF_FFFF), _KIND_TAGS["int"]
    else:
        value, tag = value.encode() if isinstance(value, str) else value, _KIND_TAGS["bytes"]
    inner = _FIELD_1 + _varint(len(value)) + value
    return tag + _varint(len(inner)) + inner


def _column_parts(name: str, column: pa.Array, dtype: CellType) -> list[pa.Array]:
    """The map entries of a column, in pieces to be joined: what precedes the values, the values."""
    key = name.encode()
    if dtype == "empty":
        if column.null_count != len(column):
            raise ColumnError(name, str(column.drop_null()[0].as_py()), "always empty")
        return [_repeat(_entry(key, b""), len(column))]
    if _is_numbers(column):
        dtype = "floats"
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
        if length < 0:
            return missing
        # A list of texts brings the head of each along.
        return _prefix(key, kind, length, b"" if _is_texts(column) else None)

    return [_by_length(lengths, prefix), pc.fill_null(values, b"")]


def _is_texts(column: pa.Array) -> bool:
    return bool(pa.types.is_large_list(column.type)) and not _is_numbers(column)


def _is_numbers(column: pa.Array) -> bool:
    return bool(pa.types.is_large_list(column.type)) and column.type.value_type == pa.float64()


def _prefix(key: bytes, kind: bytes, length: int, value_head: bytes | None = None) -> bytes:
    """All bytes of a map entry before its value of `length` bytes."""
    value_head = _FIELD_1 + _varint(length) if value_head is None else value_head
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


def _text_values(column: pa.Array) -> pa.Array:
    if pa.types.is_large_list(column.type):
        return _texts_values(column)
    if pa.types.is_binary(column.type):
        return column.cast(pa.large_binary())
    return column.cast(pa.string()).cast(pa.large_binary())


def _texts_values(column: pa.LargeListArray) -> pa.Array:
    """The texts of each list one after the other, each with its head."""
    texts = column.flatten()
    lengths = pc.binary_length(texts)
    parts = _join([_by_length(lengths, lambda length: _FIELD_1 + _varint(length)), texts])
    ends = np.concatenate([[0], np.cumsum(pc.binary_length(parts).to_numpy())])
    counts = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    bounds = ends[np.concatenate([[0], np.cumsum(counts)])]
    data = np.frombuffer(b"".join(parts.to_pylist()), np.uint8)
    return _binary(data, np.diff(bounds).astype(np.int64), counts > 0)


def _float_values(column: pa.Array) -> pa.Array:
    """Four bytes a value, little endian, rounded to the nearest float32."""
    numbers = cells.to_floats(column)
    valid = numbers.is_valid().to_numpy(zero_copy_only=False)
    data = _as_float32(numbers)
    return _binary(data.view(np.uint8), np.full(len(data), 4, np.int64), valid)


def _list_values(column: pa.Array) -> pa.Array:
    """Four bytes for each number of a list; a list of none is missing."""
    lists = column if _is_numbers(column) else split_numbers(column)
    try:
        data = _as_float32(cells.to_floats(lists.flatten()))
    except cells.CellError as error:
        # The row is found by its whole cell.
        whole = next(text for text in column.to_pylist() if text and error.text in text.split())
        raise cells.CellError(whole, "floats") from error
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy().astype(np.int64)
    return _binary(data.view(np.uint8), 4 * lengths, lengths > 0)


def _as_float32(numbers: pa.DoubleArray) -> np.ndarray[Any, Any]:
    # Beyond the float32 range is infinite, as in protobuf.
    with np.errstate(over="ignore"):
        return pc.fill_null(numbers, 0.0).to_numpy().astype("<f4")


def _int_values(column: pa.Array) -> pa.Array:
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


_VALUES: dict[str, Callable[[pa.Array], pa.Array]] = {
    "bytes": _text_values,
    "image": _text_values,
    "float": _float_values,
    "int": _int_values,
    "floats": _list_values,
}

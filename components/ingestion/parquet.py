"""Reads Parquet files in bounded memory, a few rows at a time, with the types that the file says.

Every column becomes one of a few Arrow types, of which a tf.Example can hold the values:

    int64                 whole numbers, booleans (0, 1), timestamps and dates (seconds since 1970)
    double                other numbers, decimals among them
    string, binary        texts; encoded images
    list<double>          lists of numbers
    list<large_binary>    lists of texts
    null                  a column without a type; no row has a value

Imports nothing heavier than pyarrow, and that only when a file is read.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.errors import DataRejected
from components.ingestion.cells import CellType

MAGIC = b"PAR1"

_BATCH_BYTES = 4 << 20
_MAX_BATCH_ROWS = 65_536
_PAGE_BUFFER_BYTES = 1 << 20
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_SECONDS_PER_DAY = 86_400


@dataclasses.dataclass(frozen=True)
class RowGroups:
    """Neighboring row groups of a file: from `start` up to and without `stop`."""

    file: Path
    start: int
    stop: int


def column_types(file: Path) -> dict[str, CellType]:
    """The type of each column, in the order of the file; that of a list is the type of its items.

    Raises:
        DataRejected: the file is damaged, two columns have one name, or a type has no place in a
            tf.Example.
    """
    with _opened(file) as reader:
        schema = reader.schema_arrow
    types: dict[str, CellType] = {}
    for field in schema:
        if not field.name.strip():
            raise DataRejected(f"{file}: column {len(types) + 1} has no name. Name it.")
        if field.name in types:
            raise DataRejected(
                f"{file}: the name {field.name!r} is given to two columns. Rename one."
            )
        types[field.name] = _cell_type(field.type, field.name, file)
    if not types:
        raise DataRejected(f"{file} has no columns.")
    return types


def sections(file: Path, section_bytes: int) -> tuple[RowGroups, ...]:
    """Divides a file into runs of row groups of about `section_bytes`, uncompressed."""
    starts, num_bytes = [0], 0
    with _opened(file) as reader:
        num_groups = reader.metadata.num_row_groups
        for index in range(num_groups):
            if num_bytes >= section_bytes:
                starts.append(index)
                num_bytes = 0
            num_bytes += reader.metadata.row_group(index).total_byte_size
    stops = [*starts[1:], num_groups]
    return tuple(RowGroups(file, start, stop) for start, stop in zip(starts, stops, strict=True))


def read_batches(
    section: RowGroups, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yields the rows of some row groups.

    Args:
        section: what to read.
        columns: the columns to read, in the order wanted; all if absent.

    Yields:
        Record batches of the types that the module names; null is a missing value.

    Raises:
        DataRejected: the file is damaged, or a value has no place in a tf.Example.
    """
    file = section.file
    with _opened(file) as reader:
        names = list(reader.schema_arrow.names if columns is None else columns)
        groups = list(range(section.start, section.stop))
        for batch in reader.iter_batches(_batch_rows(reader, groups), groups, columns=names):
            arrays = [_plain(batch.column(name), name, file) for name in names]
            yield pa.RecordBatch.from_arrays(arrays, names=names)


def whole(file: Path) -> RowGroups:
    """All rows of a file."""
    with _opened(file) as reader:
        return RowGroups(file, 0, reader.metadata.num_row_groups)


def _batch_rows(reader: Any, groups: Sequence[int]) -> int:
    """How many rows are about `_BATCH_BYTES`."""
    found = [reader.metadata.row_group(index) for index in groups]
    num_rows = sum(group.num_rows for group in found)
    num_bytes = sum(group.total_byte_size for group in found)
    row_bytes = max(1, num_bytes // max(1, num_rows))
    return max(1, min(_MAX_BATCH_ROWS, _BATCH_BYTES // row_bytes))


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[Any]:
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(
            file, buffer_size=_PAGE_BUFFER_BYTES, page_checksum_verification=True
        ) as reader:
            yield reader
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise DataRejected(
            f"{file} cannot be read as Parquet: {reason}. Write it again: it is damaged, not "
            "whole, or holds what Arrow cannot read."
        ) from error


def _cell_type(dtype: pa.DataType, name: str, file: Path) -> CellType:
    if _is_list(dtype):
        item = _cell_type(dtype.value_type, name, file)
        if _is_list(dtype.value_type):
            _refuse(dtype, name, file)
        return "float" if item == "int" else item
    if isinstance(dtype, pa.BaseExtensionType):
        return _cell_type(dtype.storage_type, name, file)
    if pa.types.is_dictionary(dtype):
        return _cell_type(dtype.value_type, name, file)
    for matches, cell_type, _ in _CONVERSIONS:
        if matches(dtype):
            return cell_type
    return _refuse(dtype, name, file)


def _refuse(dtype: pa.DataType, name: str, file: Path) -> CellType:
    raise DataRejected(
        f"Column {name!r} in {file}: a tf.Example has no place for the type {dtype}. Write it as "
        "a number, a text, or a list of numbers, or leave the column out."
    )


def _is_list(dtype: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(dtype)
        or pa.types.is_large_list(dtype)
        or pa.types.is_fixed_size_list(dtype)
    )


def _plain(column: pa.Array, name: str, file: Path) -> pa.Array:
    """The column as one of the types that the module names."""
    dtype = column.type
    if isinstance(dtype, pa.BaseExtensionType):
        return _plain(column.storage, name, file)
    if pa.types.is_dictionary(dtype):
        return _plain(column.dictionary_decode(), name, file)
    if _is_list(dtype):
        return _plain_list(column, name, file)
    convert = next(convert for matches, _, convert in _CONVERSIONS if matches(dtype))
    try:
        return convert(column)
    except pa.ArrowInvalid as error:
        raise DataRejected(
            f"Column {name!r} in {file}: {error}. A tf.Example holds whole numbers of 64 bits and "
            "texts in UTF-8. Write the column as another type."
        ) from error


def _plain_list(column: pa.Array, name: str, file: Path) -> pa.Array:
    """A list of doubles or of binaries; a missing item is NaN, or left out of a list of texts."""
    lengths = pc.list_value_length(column)
    items = _plain(column.flatten(), name, file)
    if items.type in (pa.string(), pa.binary()):
        parents = pc.list_parent_indices(column).filter(items.is_valid())
        counts = np.bincount(parents.to_numpy(), minlength=len(column))
        items = items.drop_null().cast(pa.large_binary())
    else:
        counts = pc.fill_null(lengths, 0).to_numpy()
        items = pc.fill_null(items.cast(pa.float64(), safe=False), float("nan"))
    offsets = np.zeros(len(column) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return pa.LargeListArray.from_arrays(
        pa.array(offsets), items, mask=pa.array(counts == 0, pa.bool_())
    )


def _seconds(column: pa.Array) -> pa.Int64Array:
    """Whole seconds since 1970-01-01, UTC, rounded down."""
    dtype = column.type
    if pa.types.is_date32(dtype):
        return pc.multiply(column.cast(pa.int32()).cast(pa.int64()), _SECONDS_PER_DAY)
    per_second = _UNITS["ms" if pa.types.is_date64(dtype) else dtype.unit]
    valid = column.is_valid()
    values = pc.fill_null(column.cast(pa.int64()), 0).to_numpy() // per_second
    return pc.if_else(valid, pa.array(values), pa.scalar(None, pa.int64()))


def _as(dtype: pa.DataType, *, safe: bool = True) -> Callable[[pa.Array], pa.Array]:
    return lambda column: column.cast(dtype, safe=safe)


def _as_they_are(column: pa.Array) -> pa.Array:
    return column


def _floats(column: pa.Array) -> pa.DoubleArray:
    # There is no cast from 16 bits to 64.
    if pa.types.is_float16(column.type):
        numbers = column.to_numpy(zero_copy_only=False).astype(np.float64)
        return pa.array(numbers, mask=column.is_null().to_numpy(zero_copy_only=False))
    return column.cast(pa.float64(), safe=False)


_Conversion = tuple[Callable[[pa.DataType], bool], CellType, Callable[[pa.Array], pa.Array]]
_CONVERSIONS: tuple[_Conversion, ...] = (
    (pa.types.is_null, "empty", _as_they_are),
    (pa.types.is_boolean, "int", _as(pa.int64())),
    (pa.types.is_integer, "int", _as(pa.int64())),
    (pa.types.is_floating, "float", _floats),
    (pa.types.is_decimal, "float", _floats),
    (pa.types.is_timestamp, "int", _seconds),
    (pa.types.is_date, "int", _seconds),
    (pa.types.is_string, "bytes", _as_they_are),
    (pa.types.is_large_string, "bytes", _as(pa.string())),
    (pa.types.is_binary, "bytes", _as_they_are),
    (pa.types.is_large_binary, "bytes", _as(pa.binary())),
    (pa.types.is_fixed_size_binary, "bytes", _as(pa.binary())),
)

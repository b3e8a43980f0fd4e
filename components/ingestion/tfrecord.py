"""Reads TFRecord files of tf.Example without TensorFlow, to look at a sample before a run."""

from __future__ import annotations

import functools
import itertools
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from components.errors import DataRejected
from components.ingestion import images
from components.ingestion.cells import CellType, widest
from components.ingestion.column_stats import ColumnStats
from components.ingestion.dialect import open_bytes

_LENGTH_BYTES, _CHECKSUM_BYTES = 8, 4
_MAX_RECORD_BYTES = 1 << 30
_BLOCK_RECORDS = 2_000
_BLOCK_BYTES = 32 << 20
_DTYPES: dict[str, CellType] = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int"}


def is_gzip(file: Path) -> bool:
    """Whether the file is compressed, whatever its name says."""
    with file.open("rb") as handle:
        return handle.read(2) == b"\x1f\x8b"


def read_records(file: Path) -> Iterator[bytes]:
    """Yields the records of one file, gzip or not. Raises DataRejected for a damaged file."""
    try:
        with open_bytes(file) as handle:
            for index in itertools.count():
                head = handle.read(_LENGTH_BYTES + _CHECKSUM_BYTES)
                if not head:
                    return
                length = struct.unpack("<Q", head[:_LENGTH_BYTES].ljust(8, b"\xff"))[0]
                if length > _MAX_RECORD_BYTES:
                    _reject(file, index, "it does not start with a length")
                record = handle.read(length + _CHECKSUM_BYTES)
                if len(record) < length + _CHECKSUM_BYTES:
                    _reject(file, index, "the file ends within it")
                yield record[:length]
    except (EOFError, OSError, zlib.error) as error:
        raise DataRejected(f"{file} is a damaged file: {error}. Write it again.") from error


def collect(files: Sequence[Path], max_records: int) -> tuple[list[ColumnStats], bool]:
    """Describes the features of the first `max_records` records.

    Returns:
        One entry a feature, sorted by name, and whether these are all the records.
    """
    stats: dict[str, ColumnStats] = {}
    dtypes: dict[str, CellType] = {}
    num_records = 0
    records = (
        (f"{file}, record {index}", record)
        for file in files
        for index, record in enumerate(read_records(file), start=1)
    )
    for block in _blocks(itertools.islice(records, max_records)):
        places = [place for place, _ in block]
        rows = [_parse(place, record) for place, record in block]
        for name in sorted({name for row in rows for name in row} - stats.keys()):
            stats[name] = ColumnStats(name)
            stats[name].add(pa.nulls(num_records, pa.string()))
        num_records += len(rows)
        for name, column in stats.items():
            column.add(_cells(name, rows, places, column, dtypes))
    for name, dtype in dtypes.items():
        stats[name].dtype = dtype
    return [stats[name] for name in sorted(stats)], next(records, None) is None


def _blocks(records: Iterator[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    """Groups records, images among them, so that a group is bounded in number and in bytes."""
    block: list[tuple[str, bytes]] = []
    num_bytes = 0
    for place, record in records:
        block.append((place, record))
        num_bytes += len(record)
        if len(block) == _BLOCK_RECORDS or num_bytes >= _BLOCK_BYTES:
            yield block
            block, num_bytes = [], 0
    if block:
        yield block


def _cells(
    name: str,
    rows: list[Any],
    places: list[str],
    column: ColumnStats,
    dtypes: dict[str, CellType],
) -> pa.StringArray:
    """The first value of a feature in each row as text; sets its type and number of values."""
    texts: list[str | None] = []
    for row, place in zip(rows, places, strict=True):
        feature = row.get(name)
        kind: str = feature.WhichOneof("kind") if feature is not None else ""
        values: Sequence[Any] = getattr(feature, kind).value if kind else []
        column.max_values = max(column.max_values, len(values))
        if not values:
            texts.append(None)
            continue
        is_first = name not in dtypes
        dtypes[name] = widest(dtypes.get(name, "empty"), _DTYPES[kind])
        value = values[0]
        if kind != "bytes_list":
            texts.append(repr(value))
            continue
        if is_first and images.looks_like(value):
            column.images = images.ImageStats()
        texts.append(_text(value, place, column.images))
    return pa.array(texts, pa.string())


def _text(value: bytes, place: str, stats: images.ImageStats | None) -> str:
    """The text of a value; of an image no more than a word, for its bytes say nothing."""
    if stats is None:
        return value.decode("utf-8", "replace")
    try:
        stats.add(images.header(value))
    except images.NotAnImage as error:
        stats.reject(place, str(error))
    return "image"


def parse(record: bytes) -> dict[str, Any]:
    """The features of a tf.Example by name. Raises DecodeError if it is none."""
    return dict(_example_class().FromString(record).features.feature)


def first_value(record: bytes, name: str) -> Any:
    """The first value of a feature; None where there is none."""
    feature = parse(record).get(name)
    kind = feature.WhichOneof("kind") if feature is not None else None
    values = getattr(feature, kind).value if kind else ()
    return values[0] if values else None


def _parse(place: str, record: bytes) -> dict[str, Any]:
    try:
        return parse(record)
    except DecodeError as error:
        raise DataRejected(f"{place} is not a tf.Example: {record[:40]!r}.") from error


def _reject(file: Path, index: int, reason: str) -> None:
    raise DataRejected(
        f"{file}, record {index + 1}: {reason}. It is not a TFRecord file, or it is damaged."
    )


@functools.cache
def _example_class() -> Any:
    """The message class of tf.Example, field numbers as in tensorflow/core/example/example.proto.

    Defined here because importing it from TensorFlow takes seconds.
    """
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="waybill_example.proto", package="waybill", syntax="proto3"
    )

    def message(name: str, *fields: Any) -> Any:
        added = file.message_type.add(name=name)
        added.field.extend(fields)
        return added

    def of_type(name: str, number: int, of: str | int, label: int = 1, **more: Any) -> Any:
        made = field(name=name, number=number, label=label, **more)
        if isinstance(of, str):
            made.type, made.type_name = field.TYPE_MESSAGE, f".waybill.{of}"
        else:
            made.type = of
        return made

    message("BytesList", of_type("value", 1, field.TYPE_BYTES, 3))
    message("FloatList", of_type("value", 1, field.TYPE_FLOAT, 3))
    message("Int64List", of_type("value", 1, field.TYPE_INT64, 3))
    feature = message(
        "Feature",
        of_type("bytes_list", 1, "BytesList", oneof_index=0),
        of_type("float_list", 2, "FloatList", oneof_index=0),
        of_type("int64_list", 3, "Int64List", oneof_index=0),
    )
    feature.oneof_decl.add(name="kind")
    features = message("Features", of_type("feature", 1, "Features.FeatureEntry", 3))
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.extend([of_type("key", 1, field.TYPE_STRING), of_type("value", 2, "Feature")])
    message("Example", of_type("features", 1, "Features"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("waybill.Example"))

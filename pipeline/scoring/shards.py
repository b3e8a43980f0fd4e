"""Writes scored rows with Beam's own sinks: a folder of shards, as CSV, Parquet or TFRecord."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
from apache_beam.io import parquetio

from components.errors import ConfigError
from components.ingestion import cells, encoding
from components.ingestion.cells import CellType
from components.ingestion.text_stats import split_numbers
from pipeline.scoring.model import Scored

FORMATS = ("parquet", "csv", "tfrecord")
_PREFIX = "part"
_TYPES: Mapping[str, pa.DataType] = {
    "int": pa.int64(),
    "float": pa.float64(),
    "floats": pa.large_list(pa.float64()),
}


def schema_of(kept: pa.Schema, answered: pa.Schema) -> pa.Schema:
    """The columns of the output: those of the input that are kept, then the answers.

    Raises:
        ConfigError: a column of the input is named like an answer.
    """
    for name in answered.names:
        if name in kept.names:
            raise ConfigError(
                f"The data has a column {name!r}, and so has the answer. Name the columns to keep "
                "with --keep, or rename that one."
            )
    return pa.schema([*kept, *answered])


def typed(schema: pa.Schema, types: dict[str, CellType]) -> pa.Schema:
    """The types of a table's columns: text of CSV becomes the numbers and lists of the model."""
    fields = []
    for field in schema:
        dtype = field.type
        if pa.types.is_string(dtype):
            dtype = _TYPES.get(types.get(field.name, ""), dtype)
        fields.append(pa.field(field.name, dtype))
    return pa.schema(fields)


def sink(format_: str, folder: str, schema: pa.Schema) -> beam.PTransform:
    """The transform that writes what it is given as shards in a folder.

    Args:
        format_: one of `FORMATS`.
        folder: where.
        schema: of all columns.
    """
    prefix, suffix = f"{folder}/{_PREFIX}", f".{format_}"
    if format_ == "parquet":
        return _Sink(
            functools.partial(_tables, schema=schema),
            parquetio.WriteToParquetBatched(prefix, schema, file_name_suffix=suffix),
        )
    if format_ == "csv":
        header = _csv(pa.RecordBatch.from_pylist([], schema=schema), with_header=True)
        return _Sink(
            functools.partial(_texts, schema=schema),
            beam.io.WriteToText(prefix, file_name_suffix=suffix, header=header),
        )
    return _Sink(
        functools.partial(_records, schema=schema),
        beam.io.WriteToTFRecord(prefix, file_name_suffix=f"{suffix}.gz"),
    )


class _Sink(beam.PTransform):
    def __init__(self, make: Callable[[Scored], Iterator[Any]], write: beam.PTransform) -> None:
        super().__init__()
        self._make = make
        self._write = write

    def expand(self, scored: Any) -> Any:
        return scored | "Lay out" >> beam.FlatMap(self._make) | "Write" >> self._write


def _tables(scored: Scored, *, schema: pa.Schema) -> Iterator[pa.Table]:
    yield pa.Table.from_batches([_joined(scored, schema)])


def _texts(scored: Scored, *, schema: pa.Schema) -> Iterator[str]:
    text = _csv(_joined(scored, schema), with_header=False)
    if text:
        yield text


def _records(scored: Scored, *, schema: pa.Schema) -> Iterator[bytes]:
    """A tf.Example a row: that of the input, if it was one, and the answers."""
    if scored.rows.table is None:
        more = encoding.encode(*_encodable(scored.answers)).to_pylist()
        # Two serialized messages, one behind the other, are the merged message.
        for example, answer in zip(scored.rows.examples, more, strict=True):
            yield example + answer
        return
    yield from encoding.encode(*_encodable(_joined(scored, schema))).to_pylist()


def _joined(scored: Scored, schema: pa.Schema) -> pa.RecordBatch:
    """The kept columns and the answers, in the types of the schema."""
    columns = []
    for field in schema:
        if field.name in scored.answers.schema.names:
            columns.append(scored.answers.column(field.name))
            continue
        assert scored.rows.table is not None
        column = scored.rows.table.column(field.name)
        if pa.types.is_string(column.type) and pa.types.is_integer(field.type):
            column = cells.to_ints(column)
        elif pa.types.is_string(column.type) and pa.types.is_floating(field.type):
            column = cells.to_floats(column)
        elif pa.types.is_string(column.type) and pa.types.is_large_list(field.type):
            column = _lists(column)
        columns.append(column.cast(field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _lists(column: pa.StringArray) -> pa.LargeListArray:
    """Texts of numbers with spaces between them, as lists."""
    lists = split_numbers(column).cast(pa.large_list(pa.string()))
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return pa.LargeListArray.from_arrays(
        pa.array(offsets, pa.int64()), cells.to_floats(lists.flatten()), mask=lists.is_null()
    )


def _encodable(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, dict[str, CellType]]:
    """The batch in the types that a tf.Example holds, and how each column is encoded."""
    columns: list[pa.Array] = []
    types: dict[str, CellType] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        dtype = column.type
        types[name] = "floats" if _is_numbers(dtype) else "bytes"
        if pa.types.is_floating(dtype):
            column, types[name] = column.cast(pa.float64()), "float"
        elif pa.types.is_integer(dtype) or pa.types.is_boolean(dtype):
            column, types[name] = column.cast(pa.int64()), "int"
        elif pa.types.is_null(dtype):
            types[name] = "empty"
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names), types


def _is_numbers(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_large_list(dtype) and pa.types.is_floating(dtype.value_type))


def _csv(batch: pa.RecordBatch, *, with_header: bool) -> str:
    """Lines of CSV without the last line break; lists with spaces between their items."""
    columns = [_flat(column) for column in batch.columns]
    flat = pa.Table.from_arrays(columns, names=batch.schema.names)
    buffer = io.BytesIO()
    options = arrow_csv.WriteOptions(include_header=with_header, quoting_style="needed")
    arrow_csv.write_csv(flat, buffer, options)
    return buffer.getvalue().decode().removesuffix("\n")


def _flat(column: pa.Array) -> pa.Array:
    if pa.types.is_large_list(column.type):
        return pc.binary_join(column.cast(pa.large_list(pa.string())), " ")
    if pa.types.is_binary(column.type):
        # What is no text has no place in CSV.
        try:
            return column.cast(pa.string())
        except pa.ArrowInvalid as error:
            raise ConfigError(
                "A column to keep holds bytes that are no text. Leave it out with --keep, or "
                "write Parquet or TFRecord (--format)."
            ) from error
    return column

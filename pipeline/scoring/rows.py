"""The rows to score: blocks of a table or of tf.Examples, read a section at a time."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
from google.protobuf.message import DecodeError

from components.errors import ConfigError, DataRejected
from components.ingestion import encoding, tfrecord
from components.ingestion.cells import CellType
from components.ingestion.formats import common_format
from components.ingestion.sources import FOLDER_PATTERN
from components.ingestion.tables import FORMATS, Table, TablePart
from serving.columns import ModelColumns

# Read by one worker at a time.
SECTION_BYTES = 64 << 20
BLOCK_ROWS = 1024
_CELLS: Mapping[str, CellType] = {"float": "float", "int": "int", "bytes": "bytes"}
_ARROW: Mapping[CellType, pa.DataType] = {
    "float": pa.float64(),
    "int": pa.int64(),
    "bytes": pa.string(),
    "image": pa.binary(),
    "floats": pa.large_list(pa.float64()),
}


@dataclasses.dataclass(frozen=True)
class Block:
    """Some neighboring rows.

    Attributes:
        examples: a serialized tf.Example a row, as the model takes them.
        table: the same rows as columns, as far as they are to be written; None if none are.
    """

    examples: list[bytes]
    table: pa.RecordBatch | None


@dataclasses.dataclass(frozen=True)
class Data:
    """Files of one format.

    Attributes:
        format: `csv`, `parquet` or `tfrecord`.
        files: at least one.
        table: how they are read; None for TFRecord.
    """

    format: str
    files: tuple[Path, ...]
    table: Table | None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a table, in the order of the first file; none for TFRecord.

        Raises:
            DataRejected: a file cannot be read, or has other columns than the first.
        """
        return self.table.names if self.table else ()

    @property
    def schema(self) -> pa.Schema:
        """The columns of a table with the types they are read in; text for CSV."""
        assert self.table is not None
        for _, batch in self.table.batches():
            return batch.schema
        return pa.schema([(name, pa.string()) for name in self.columns])

    def sections(self) -> list[TablePart | Path]:
        """What one worker reads at a time."""
        if self.table is None:
            return list(self.files)
        parts: list[TablePart | Path] = []
        for file in self.files:
            parts.extend(self.table.parts(file, SECTION_BYTES))
        return parts


def find(path: str, wanted: str, dialect: Any) -> Data:
    """Finds the files.

    Args:
        path: a file, or a folder of files.
        wanted: their format, or `auto`.
        dialect: how CSV is written.

    Raises:
        ConfigError: there are none, or of several formats.
    """
    place = Path(path)
    if not place.exists():
        raise ConfigError(f"The data {path} does not exist.")
    files: tuple[Path, ...] = (place,)
    if place.is_dir():
        files = tuple(sorted(file for file in place.glob(FOLDER_PATTERN) if file.is_file()))
    if not files:
        raise ConfigError(f"The folder {path} holds no file.")
    format_ = common_format(files, wanted)
    table = Table(format_, files, dialect) if format_ in FORMATS else None
    return Data(format_, files, table)


def cell_types(columns: ModelColumns) -> dict[str, CellType]:
    """How the cells of each column are read, for what the model takes."""
    types: dict[str, CellType] = {}
    for column in columns.columns:
        if column.kind == "image":
            types[column.name] = "image"
        elif column.is_list:
            types[column.name] = "floats"
        else:
            types[column.name] = _CELLS[column.dtype]
    return types


def schema_of(types: Mapping[str, CellType]) -> pa.Schema:
    """The Arrow types of a model's columns."""
    return pa.schema([(name, _ARROW[kind]) for name, kind in types.items()])


class ReadTable(beam.DoFn):
    """Reads the rows of a part of a table, and encodes what the model takes of them.

    Args:
        table: the files.
        types: of the model's columns.
    """

    def __init__(self, table: Table, types: Mapping[str, CellType]) -> None:
        super().__init__()
        self._table = table
        self._types = types

    def process(self, element: TablePart) -> Iterator[Block]:
        """Yields blocks of at most `BLOCK_ROWS` rows, in order.

        Raises:
            DataRejected: a row cannot be read, or has a value of another type.
        """
        for batch in self._table.read(element, self._table.names):
            for start in range(0, len(batch), BLOCK_ROWS):
                rows = batch.slice(start, BLOCK_ROWS)
                yield Block(self._encoded(rows, element), rows)

    def _encoded(self, rows: pa.RecordBatch, part: TablePart) -> list[bytes]:
        asked = rows.select([name for name in rows.schema.names if name in self._types])
        # Arrow's slices keep the whole buffers, which the encoder would look through each time.
        asked = pa.RecordBatch.from_arrays(
            [pa.concat_arrays([column]) for column in asked.columns], names=asked.schema.names
        )
        try:
            found: list[bytes] = encoding.encode(asked, self._types).to_pylist()
        except encoding.ColumnError as error:
            where = self._table.place_of(part.rows.file, error.column, error.text)
            raise DataRejected(
                f"Column {error.column!r} in {where}: {error.text!r} is not {error.dtype}, as the "
                "model takes it. Fix the row, or leave the cell empty if it is missing."
            ) from error
        return found


class ReadExamples(beam.DoFn):
    """Reads the records of a TFRecord file.

    Args:
        kept: the columns to take out of them, with their types.
    """

    def __init__(self, kept: pa.Schema) -> None:
        super().__init__()
        self._kept = kept

    def process(self, element: Path) -> Iterator[Block]:
        """Yields blocks of at most `BLOCK_ROWS` records, in order.

        Raises:
            DataRejected: the file is damaged, or a record is none of tf.Example.
        """
        records = tfrecord.read_records(element)
        number = 1
        while block := list(itertools.islice(records, BLOCK_ROWS)):
            yield Block(block, self._columns(block, element, number) if self._kept else None)
            number += len(block)

    def _columns(self, block: list[bytes], file: Path, number: int) -> pa.RecordBatch:
        try:
            rows = [tfrecord.parse(record) for record in block]
            columns = [
                pa.array([_value(row.get(field.name), field.type) for row in rows], field.type)
                for field in self._kept
            ]
        except (DecodeError, pa.ArrowException, UnicodeDecodeError, TypeError) as error:
            raise DataRejected(
                f"{file}, records {number} to {number + len(block) - 1}: one is no tf.Example of "
                f"the model's columns: {error}."
            ) from error
        return pa.RecordBatch.from_arrays(columns, schema=self._kept)


def _value(feature: Any, dtype: pa.DataType) -> Any:
    kind = feature.WhichOneof("kind") if feature is not None else None
    values = list(getattr(feature, kind).value) if kind else []
    if not values:
        return None
    if pa.types.is_large_list(dtype):
        return values
    return values[0].decode() if pa.types.is_string(dtype) else values[0]

"""Reads the rows of a table, whether its files are CSV or Parquet."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from components.ingestion import csv_diagnosis, csv_stream, parquet
from components.ingestion.cells import CellType, widest
from components.ingestion.csv_stream import Header
from components.ingestion.dialect import Dialect

FORMATS = ("csv", "parquet")


@dataclasses.dataclass(frozen=True)
class TablePart:
    """What one worker reads.

    Attributes:
        names: the column names of the file, in its order.
        rows: which rows of it.
    """

    names: tuple[str, ...]
    rows: csv_stream.Section | parquet.RowGroups


@dataclasses.dataclass(frozen=True)
class Table:
    """Files with the same columns, in whatever order.

    Attributes:
        format: `csv` or `parquet`.
        files: at least one.
        dialect: how CSV is written.
    """

    format: str
    files: tuple[Path, ...]
    dialect: Dialect

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The column names, in the order of the first file.

        Raises:
            DataRejected: a file cannot be read, or has other columns than the first.
        """
        found = [self._names_of(file) for file in self.files]
        for file, names in zip(self.files, found, strict=True):
            csv_stream.check_same_columns(self.files[0], found[0], file, names)
        return found[0]

    @functools.cached_property
    def types(self) -> dict[str, CellType]:
        """What Parquet says of each column, the widest of all files; `empty` throughout for CSV."""
        types: dict[str, CellType] = dict.fromkeys(self.names, "empty")
        if self.format == "parquet":
            for file in self.files:
                for name, found in parquet.column_types(file).items():
                    types[name] = widest(types[name], found)
        return types

    def batches(
        self, columns: Sequence[str] | None = None
    ) -> Iterator[tuple[Path, pa.RecordBatch]]:
        """Yields all rows, file by file, some at a time.

        Args:
            columns: which, in the order wanted; by default all, as in the first file.

        Yields:
            The file, and a batch of its rows: CSV as text, Parquet in the types that
            `components.ingestion.parquet` names; null is a missing value.

        Raises:
            DataRejected: a file cannot be read; says where and why.
        """
        columns = list(self.names if columns is None else columns)
        for file in self.files:
            for batch in self.read(self._whole(file), columns):
                yield file, batch

    def read(self, part: TablePart, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yields the rows of one part, with `columns` in their order."""
        if isinstance(part.rows, parquet.RowGroups):
            yield from parquet.read_batches(part.rows, columns)
            return
        for batch in csv_stream.read_batches(part.rows, part.names, self.dialect):
            yield batch.select(list(columns))

    def parts(self, file: Path, section_bytes: int) -> list[TablePart]:
        """Divides a file into parts of about this size."""
        if self.format == "parquet":
            names = tuple(parquet.column_types(file))
            return [TablePart(names, rows) for rows in parquet.sections(file, section_bytes)]
        header = self._header(file)
        found = csv_stream.sections(file, header, section_bytes, self.dialect)
        return [TablePart(header.names, rows) for rows in found]

    def place_of(self, file: Path, column: str, text: str) -> str:
        """The file, and where in it the first row is whose cell of `column` is `text`."""
        if self.format == "csv":
            names = self._names_of(file)
            return f"{file}, line {csv_diagnosis.line_of(file, names, self.dialect, column, text)}"
        row = 0
        for batch in parquet.read_batches(parquet.whole(file), [column]):
            for value in batch.column(0).to_pylist():
                row += 1
                if cell_text(value) == text:
                    return f"{file}, row {row:,}"
        return str(file)

    def _whole(self, file: Path) -> TablePart:
        if self.format == "parquet":
            return TablePart(tuple(parquet.column_types(file)), parquet.whole(file))
        header = self._header(file)
        return TablePart(header.names, csv_stream.Section(file, header.num_bytes))

    def _names_of(self, file: Path) -> tuple[str, ...]:
        if self.format == "parquet":
            return tuple(parquet.column_types(file))
        return self._header(file).names

    def _header(self, file: Path) -> Header:
        return csv_stream.read_header(file, self.dialect)


def cell_text(value: Any) -> str:
    """A value as a message shows it."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

"""Looks at all rows of a source against a schema, without TensorFlow and without a pipeline."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from components.errors import DataRejected
from components.features import DataSpec
from components.ingestion import cells as texts
from components.ingestion import image_folder, images, tfrecord
from components.ingestion.dialect import Dialect, lines, open_utf8
from components.ingestion.sources import Source
from components.ingestion.text_stats import split_numbers
from components.validation.cells import Cells, from_column
from components.validation.contract import Contract
from components.validation.look import Look, Looker

_BLOCK_RECORDS = 2_000


class Places:
    """Names rows by the line of their file; the lines are counted only when one is asked for."""

    def __init__(self, source: Source) -> None:
        """Starts without any row.

        Args:
            source: the files.
        """
        self._source = source
        self._first_rows: list[int] = []
        self._files: list[Path] = []
        self._lines: dict[Path, np.ndarray] = {}

    def begin(self, file: Path, first_row: int) -> None:
        """Says that the rows from `first_row` on are from `file`."""
        self._files.append(file)
        self._first_rows.append(first_row)

    def __call__(self, row: int) -> str:
        """The place of a row, by its number from 0 over all files."""
        index = bisect.bisect(self._first_rows, row) - 1
        file, number = self._files[index], row - self._first_rows[index]
        if self._source.format != "csv":
            return f"record {number + 1:,} of {file.name}"
        if file not in self._lines:
            self._lines[file] = np.fromiter(_lines(file, self._source.dialect), np.int64)
        return f"line {self._lines[file][number]:,} of {file.name}"


def look_at(
    source: Source, contracts: Mapping[str, Contract], spec: DataSpec | None
) -> tuple[Look, Places]:
    """Reads every row; memory does not grow with them but for 16 bytes a row.

    Args:
        source: the files.
        contracts: what the schema says of each column.
        spec: the inputs and the label; None where they are unknown.

    Raises:
        DataRejected: the files cannot be read, or hold no rows.
    """
    looker, places = Looker(contracts, spec), Places(source)
    others = {"tfrecord": _record_batches, "images": _image_batches}
    batches = others.get(source.format, _table_batches)
    for batch, num_rows in batches(source, contracts, places, looker):
        looker.add(batch, num_rows)
    if not looker.num_rows:
        where = source.files[0] if len(source.files) == 1 else source.base_dir
        raise DataRejected(f"{where} holds no rows. Add some.")
    return looker.look(is_whole=True), places


_Batch = tuple[dict[str, Cells], int]


def _table_batches(
    source: Source, contracts: Mapping[str, Contract], places: Places, looker: Looker
) -> Iterator[_Batch]:
    current = None
    for file, batch in source.table.batches():
        if file != current:
            places.begin(file, looker.num_rows)
            current = file
        columns = {
            name: _typed(column, contracts.get(name))
            for name, column in zip(batch.schema.names, batch.columns, strict=True)
        }
        yield columns, len(batch)


def _typed(column: pa.Array, contract: Contract | None) -> Cells:
    """Numbers where the column should hold some and does, else its text."""
    if pa.types.is_large_list(column.type):
        return from_column(column)
    kind = contract.kind if contract is not None else texts.type_of_all(column)
    try:
        if kind == "int":
            return from_column(texts.to_ints(column))
        if kind == "float":
            return from_column(texts.to_floats(column))
    except texts.CellError:
        # A series is written as numbers with blanks between them.
        if contract is not None and contract.max_values != 1 and kind == "float":
            return _parsed_series(from_column(split_numbers(column)))
    return from_column(column)


def _parsed_series(cells: Cells) -> Cells:
    try:
        return Cells(texts.to_floats(cells.values), cells.rows, cells.num_rows)
    except texts.CellError:
        return cells


def _record_batches(
    source: Source, contracts: Mapping[str, Contract], places: Places, looker: Looker
) -> Iterator[_Batch]:
    for file in source.files:
        places.begin(file, looker.num_rows)
        block: list[dict[str, list]] = []
        for record in tfrecord.read_records(file):
            block.append(_parsed(file, looker.num_rows + len(block), record))
            if len(block) == _BLOCK_RECORDS:
                yield _columns(block, looker)
                block = []
        if block:
            yield _columns(block, looker)


def _parsed(file: Path, row: int, record: bytes) -> dict[str, list]:
    try:
        found = tfrecord.parse(record)
    except ValueError as error:
        raise DataRejected(f"{file}, record {row + 1} is not a tf.Example: {error}.") from error
    values = {}
    for name, feature in found.items():
        kind = feature.WhichOneof("kind")
        values[name] = list(getattr(feature, kind).value) if kind else []
    return values


def _columns(block: list[dict[str, list]], looker: Looker) -> _Batch:
    columns = {}
    for name in sorted({name for row in block for name in row}):
        lists = [row.get(name) or None for row in block]
        first = next((item[0] for item in lists if item), None)
        if first is None:
            continue
        if isinstance(first, bytes) and images.looks_like(first):
            looker.opaque.add(name)
        of = {int: pa.int64(), float: pa.float32(), bytes: pa.large_binary()}[type(first)]
        columns[name] = from_column(pa.array(lists, pa.large_list(of)))
    return columns, len(block)


def _image_batches(
    source: Source, contracts: Mapping[str, Contract], places: Places, looker: Looker
) -> Iterator[_Batch]:
    """Names and labels only: whether each file is an image, ExampleGen finds out."""
    looker.opaque |= {image_folder.IMAGE, image_folder.PATH}
    for row, file in enumerate(source.files):
        places.begin(file, row)
    rows = [image_folder.class_of(file) for file in source.files]
    named = pa.array([file.relative_to(source.base_dir).as_posix() for file in source.files])
    columns = {
        image_folder.IMAGE: from_column(named),
        image_folder.LABEL: from_column(pa.array(rows)),
        image_folder.PATH: from_column(named),
    }
    yield columns, len(source.files)


def _lines(file: Path, dialect: Dialect) -> Iterator[int]:
    """The line where each row below the header starts."""
    with open_utf8(file, dialect) as handle:
        reader = dialect.rows(line.decode("utf-8", "replace") for line in lines(handle))
        is_header, start = not dialect.columns, 1
        for row in reader:
            if row and not is_header:
                yield start
            is_header = is_header and not row
            start = reader.line_num + 1

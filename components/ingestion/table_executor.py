"""The executor of ExampleGen for tables: how CSV and Parquet become examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from components.errors import DataRejected
from components.ingestion import cells, decoding, encoding, splitting
from components.ingestion.cells import CellType
from components.ingestion.reading import Inputs
from components.ingestion.shards import Block, Read, Shard, ShardsExecutor
from components.ingestion.split_settings import DATE_THAT_SORTS
from components.ingestion.splitting import ByTime, Splitter
from components.ingestion.tables import Table, TablePart

# A file is read in sections of about this size, by as many workers as Beam has.
SECTION_BYTES = 256 << 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableReader:
    """Reads parts of tables with Arrow; the rows of CSV are those of TFX's CsvExampleGen.

    Attributes:
        table: the files.
        column_types: the type of each column.
    """

    table: Table
    column_types: dict[str, CellType]

    def __call__(self, part: TablePart, splitter: Splitter) -> Iterator[Block]:
        """The serialized examples, a batch at a time.

        Raises:
            DataRejected: a row cannot be read, or does not fit the types.
        """
        images = [name for name, dtype in self.column_types.items() if dtype == "image"]
        row = 0
        try:
            for batch in self.table.read(part, part.names):
                for name in images:
                    for number, value in enumerate(batch.column(name).to_pylist(), start=row + 1):
                        place = f"Column {name!r} in {part.rows.file}, row {number} of a section"
                        decoding.check(value or b"", place)
                row += len(batch)
                if isinstance(splitter, ByTime):
                    _check_dates(batch, splitter)
                records = encoding.encode(batch, self.column_types).to_pylist()
                yield records, splitter.of_batch(batch, records)
        except encoding.ColumnError as error:
            where = self.table.place_of(part.rows.file, error.column, error.text)
            raise DataRejected(
                f"Column {error.column!r} in {where}: {error.text!r} does not "
                f"fit the type {error.dtype}, which the column had when the pipeline was made. Fix "
                "the row, or make the pipeline again."
            ) from error


class TableExecutor(ShardsExecutor):
    """Reads CSV and Parquet with Arrow."""

    def plan(self, inputs: Inputs) -> tuple[Read, Sequence[Shard]]:
        """Checks the columns of the files and divides them into sections."""
        reading = inputs.reading
        table = _table(inputs)
        names = table.names
        if set(names) != set(reading.column_types):
            raise DataRejected(
                f"{table.files[0]}: the columns are {', '.join(names)}, but the pipeline was "
                f"made for {', '.join(reading.column_types)}. Fix the file, or make the pipeline "
                "again."
            )
        shards = [
            Shard(part, split, file)
            for split, file in inputs.files
            for part in table.parts(file, SECTION_BYTES)
        ]
        return TableReader(table=table, column_types=reading.column_types), shards

    def times(self, inputs: Inputs, column: str) -> Iterator[pa.Array]:
        """See `ShardsExecutor`."""
        dtype = inputs.reading.column_types[column]
        for _, batch in _table(inputs).batches([column]):
            values = batch.column(0)
            if dtype == "int":
                yield cells.to_ints(values)
            else:
                yield splitting.of_type(values, "" if dtype == "bytes" else 0.0)


def _table(inputs: Inputs) -> Table:
    reading = inputs.reading
    return Table(reading.format, tuple(file for _, file in inputs.files), reading.dialect)


def _check_dates(batch: pa.RecordBatch, splitter: ByTime) -> None:
    """Raises ColumnError for a text whose order is not that of time."""
    if not isinstance(splitter.begin, str):
        return
    texts = batch.column(splitter.column).cast(pa.string()).drop_null()
    wrong = texts.filter(pc.invert(pc.match_substring_regex(texts, DATE_THAT_SORTS)))
    if len(wrong):
        raise encoding.ColumnError(splitter.column, wrong[0].as_py(), "of a date like 2014-05-01")

"""A second look at the examples of each split: the rows that statistics only summarise."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from components.features import IMAGE, DataSpec
from components.validation import cells
from components.validation.contract import Contract
from components.validation.observe import ColumnObserver
from components.validation.rows import RowObserver

_BATCH_ROWS = 10_000
_BATCH_ROWS_OF_IMAGES = 256


@dataclasses.dataclass(frozen=True)
class Look:
    """What was seen of one split.

    Attributes:
        columns: column to what was observed of it; those of the schema that are absent, too.
        rows: the rows as a whole.
        num_rows: how many rows were looked at.
        is_whole: whether these are all.
    """

    columns: Mapping[str, ColumnObserver]
    rows: RowObserver
    num_rows: int
    is_whole: bool


class Looker:
    """Feeds batches of rows to an observer for each column, and one for the rows.

    Columns in `opaque` hold no text, but images or names of files: they are only counted.
    """

    def __init__(self, contracts: Mapping[str, Contract], spec: DataSpec | None) -> None:
        """Starts with nothing seen.

        Args:
            contracts: what the schema says of each column.
            spec: the inputs and the label; None where they are unknown.
        """
        self._contracts = contracts
        self.opaque = {item.name for item in spec.of_kind(IMAGE)} if spec else set()
        self.columns: dict[str, ColumnObserver] = {}
        self.rows = RowObserver(spec)
        self.num_rows = 0

    def add(self, batch: Mapping[str, cells.Cells], num_rows: int) -> None:
        """Adds the columns of a batch; one that it lacks has no value in it."""
        empty = cells.Cells(pa.array([], pa.string()), np.zeros(0, np.int64), num_rows)
        for name in batch.keys() - self.columns.keys():
            self.columns[name] = ColumnObserver(
                name, self._contracts.get(name), is_opaque=name in self.opaque
            )
            if self.num_rows:
                before = cells.Cells(empty.values, empty.rows, self.num_rows)
                self.columns[name].add(before, 0)
        for name, column in self.columns.items():
            column.add(batch.get(name, empty), self.num_rows)
        self.rows.add(batch, num_rows)
        self.num_rows += num_rows

    def look(self, *, is_whole: bool) -> Look:
        """What was seen."""
        return Look(self.columns, self.rows, self.num_rows, is_whole)


def look_at_examples(
    folder: Path, contracts: Mapping[str, Contract], spec: DataSpec, limit: int
) -> Look:
    """Reads the first `limit` examples of a split.

    Args:
        folder: gzipped TFRecord files of tf.Example, as ExampleGen writes them.
        contracts: what the schema says of each column.
        spec: the inputs and the label.
        limit: how many rows are read; above 0.
    """
    looker = Looker(contracts, spec)
    batch_rows = _BATCH_ROWS_OF_IMAGES if spec.of_kind(IMAGE) else _BATCH_ROWS
    is_whole = True
    for batch in _batches(folder, batch_rows):
        room = limit - looker.num_rows
        is_whole = room >= len(batch)
        part = batch.slice(0, room)
        looker.add(
            {
                name: cells.from_column(part.column(name))
                for name in part.schema.names
                if not pa.types.is_null(part.column(name).type)
            },
            len(part),
        )
        if not is_whole:
            break
    return looker.look(is_whole=is_whole)


def _batches(folder: Path, batch_rows: int) -> Iterator[pa.RecordBatch]:
    # Only a node reads examples: the commands that share this module start without TensorFlow.
    import tensorflow as tf
    from tfx_bsl.coders import example_coder

    decoder = example_coder.ExamplesToRecordBatchDecoder()
    files = [str(file) for file in sorted(folder.iterdir()) if file.is_file()]
    dataset = tf.data.TFRecordDataset(files, "GZIP").batch(batch_rows)
    for records in dataset.as_numpy_iterator():
        yield decoder.DecodeBatch(list(records))

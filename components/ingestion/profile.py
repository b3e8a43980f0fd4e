"""Looks at all the data once, before anything is trained: types, gaps, values, the label.

Streams: memory does not grow with the number of rows. Imports nothing heavier than pyarrow, so that
the command line can answer before TensorFlow loads.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from components.errors import ConfigError, DataRejected, nearest
from components.ingestion import csv_stream, tfrecord
from components.ingestion.cells import CellType, widest
from components.ingestion.column_stats import DISTINCT_CAP, ColumnProfile, ColumnStats
from components.ingestion.sources import Source

__all__ = ["DISTINCT_CAP", "ColumnProfile", "Profile", "column_types", "profile"]

_MAX_LABEL_MISSING = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Profile:
    """What is known of the data.

    Attributes:
        columns: one entry a column, in the order of the file.
        num_rows: rows seen.
        whole: whether all rows were seen, not a sample.
        label_column: the label asked for.
        label_counts: the label's values with their rows, sorted by value; None without a label or
            for more than `DISTINCT_CAP` values.
    """

    columns: tuple[ColumnProfile, ...]
    num_rows: int
    whole: bool
    label_column: str | None = None
    label_counts: tuple[tuple[str, int], ...] | None = None

    def column(self, name: str) -> ColumnProfile:
        """One column by name; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


def profile(source: Source, label_column: str | None = None) -> Profile:
    """Reads the source and describes it: all rows of CSV, the first 10,000 of TFRecord.

    A type is the one that TFX's CsvExampleGen would infer, over all rows (see `cells`). One of its
    consequences: a whole number beyond 64 bits makes its column bytes.

    Args:
        source: the files.
        label_column: the column to predict, or None to look at the columns only.

    Raises:
        DataRejected: the files cannot be read, have no rows, or the label says nothing.
        ConfigError: there is no such label column.
    """
    if source.format == "csv":
        return profile_csv(source, label_column)
    return profile_tfrecord(source, label_column)


def profile_csv(source: Source, label_column: str | None = None) -> Profile:
    """`profile` for CSV files; reads every row."""
    headers = {file: csv_stream.read_header(file, source.delimiter) for file in source.files}
    first = source.files[0]
    names = headers[first].names
    for file, header in headers.items():
        csv_stream.check_same_header(first, names, file, header)
    _check_label_exists(names, label_column, source)
    stats = [ColumnStats(name) for name in names]
    for file, header in headers.items():
        section = csv_stream.Section(file, header.num_bytes)
        for batch in csv_stream.read_batches(section, names, source.delimiter):
            for column, block in zip(stats, batch.columns, strict=True):
                column.add(block)
    return _finish(source, stats, label_column, whole=True)


def profile_tfrecord(
    source: Source, label_column: str | None = None, *, max_records: int = 10_000
) -> Profile:
    """`profile` for TFRecord files of tf.Example; reads the first `max_records` records."""
    stats, whole = tfrecord.collect(source.files, max_records)
    _check_label_exists([column.name for column in stats], label_column, source)
    return _finish(source, stats, label_column, whole=whole)


def column_types(
    found: Profile, contract: Mapping[str, CellType] | None = None
) -> dict[str, CellType]:
    """The type each CSV column is read as: the inferred one, widened to the contract's.

    A contract that says FLOAT must hold for a file whose numbers happen to be whole. A column that
    does not fit its contract keeps the inferred type, and data validation reports it.

    Args:
        found: the profile of the data.
        contract: column name to the type in a curated schema.
    """
    contract = contract or {}
    return {
        column.name: widest(column.dtype, contract.get(column.name, "empty"))
        for column in found.columns
    }


def _check_label_exists(names: Sequence[str], label: str | None, source: Source) -> None:
    if label is None or label in names:
        return
    where = source.files[0] if len(source.files) == 1 else source.base_dir
    raise ConfigError(
        f"The label column {label!r} is not in {where}.{nearest(label, names)} Its columns are "
        f"{', '.join(names[:20])}{' …' if len(names) > 20 else ''}."
    )


def _finish(source: Source, stats: list[ColumnStats], label: str | None, *, whole: bool) -> Profile:
    where = source.files[0] if len(source.files) == 1 else source.base_dir
    num_rows = max((column.num_rows for column in stats), default=0)
    if not num_rows:
        raise DataRejected(
            f"{where} holds no rows, only a header. Add rows below it."
            if source.format == "csv"
            else f"{where} holds no records. Write at least one tf.Example."
        )
    collected = next((column for column in stats if column.name == label), None)
    result = Profile(
        columns=tuple(column.profile() for column in stats),
        num_rows=num_rows,
        whole=whole,
        label_column=label,
        label_counts=collected.value_counts() if collected else None,
    )
    if label is not None:
        _check_label(result.column(label), str(where))
    return result


def _check_label(label: ColumnProfile, where: str) -> None:
    """Raises DataRejected if nothing can be learned from the label."""
    what = f"The label column {label.name!r} in {where}"
    if label.num_missing == label.num_rows:
        raise DataRejected(
            f"{what} is empty in all {label.num_rows:,} rows. Fill it, or name another label."
        )
    if label.num_missing > _MAX_LABEL_MISSING * label.num_rows:
        raise DataRejected(
            f"{what} is empty in {label.num_missing:,} of {label.num_rows:,} rows. Fill it, or "
            "remove the rows without a label."
        )
    if label.num_distinct == 1:
        raise DataRejected(
            f"{what} is {label.examples[0]!r} in every row that has one: there is nothing to "
            "predict. Name another label, or add rows with other values."
        )
    if label.max_values > 1:
        raise DataRejected(f"{what} has up to {label.max_values} values a record. A label has one.")

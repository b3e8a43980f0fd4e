"""Looks at all the data once, before anything is trained: types, gaps, values, the label.

Streams: memory does not grow with the number of rows. Imports nothing heavier than pyarrow, so that
the command line can answer before TensorFlow loads.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import pyarrow as pa

from components.errors import ConfigError, DataRejected, nearest
from components.features import DataSpec
from components.ingestion import image_folder, tfrecord, typed_columns
from components.ingestion.cells import CellType, widest
from components.ingestion.column_stats import DISTINCT_CAP, ColumnProfile, ColumnStats
from components.ingestion.sources import Source

__all__ = ["DISTINCT_CAP", "ColumnProfile", "Profile", "column_types", "profile"]

_MAX_LABEL_MISSING = 0.5
# Opening a file costs; so many tell the size of all.
_MAX_IMAGES = 10_000


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
    """Reads the source and describes it: all rows of CSV and Parquet, the first 10,000 of TFRecord.

    Of a folder of images all names are read, and the headers of 10,000 files evenly among them.

    A type is what Parquet says, else the one that TFX's CsvExampleGen would infer, over all rows
    (see `cells`). One of its consequences: a whole number beyond 64 bits makes its column bytes.

    Args:
        source: the files.
        label_column: the column to predict, or None to look at the columns only.

    Raises:
        DataRejected: the files cannot be read, have no rows, or the label says nothing.
        ConfigError: there is no such label column.
    """
    if source.is_table:
        return profile_table(source, label_column)
    if source.format == "images":
        return profile_images(source, label_column)
    return profile_tfrecord(source, label_column)


def profile_table(source: Source, label_column: str | None = None) -> Profile:
    """`profile` for CSV and Parquet files; reads every row."""
    table = source.table
    _check_label_exists(table.names, label_column, source)
    stats = [ColumnStats(name) for name in table.names]
    for column in stats:
        column.dtype = table.types[column.name]
    for file, batch in table.batches():
        for column, block in zip(stats, batch.columns, strict=True):
            typed_columns.add(column, block, file)
    return _finish(source, stats, label_column, whole=True)


def profile_tfrecord(
    source: Source, label_column: str | None = None, *, max_records: int = 10_000
) -> Profile:
    """`profile` for TFRecord files of tf.Example; reads the first `max_records` records."""
    stats, whole = tfrecord.collect(source.files, max_records)
    _check_label_exists([column.name for column in stats], label_column, source)
    return _finish(source, stats, label_column, whole=whole)


def profile_images(source: Source, label_column: str | None = None) -> Profile:
    """`profile` for a folder of class folders of images."""
    columns = (image_folder.IMAGE, image_folder.LABEL, image_folder.PATH)
    _check_label_exists(columns, label_column, source)
    image, label, path = stats = [ColumnStats(name) for name in columns]
    for column in stats:
        column.dtype = "bytes"  # A class named 7 is text as well.
    image.images = image_folder.collect(source.files[:: math.ceil(len(source.files) / _MAX_IMAGES)])
    path.no_input = "it is the name of the file"
    image.add(pa.repeat(image_folder.IMAGE, len(source.files)))
    label.add(pa.array([image_folder.class_of(file) for file in source.files]))
    path.add(
        pa.array([image_folder.path_value(f).decode("utf-8", "replace") for f in source.files])
    )
    return _finish(source, stats, label_column, whole=True)


def column_types(
    found: Profile,
    contract: Mapping[str, CellType] | None = None,
    spec: DataSpec | None = None,
) -> dict[str, CellType]:
    """The type each column is read as: the inferred one, widened to the contract's.

    A contract that says FLOAT must hold for a file whose numbers happen to be whole. A column that
    does not fit its contract keeps the inferred type, and data validation reports it.

    Args:
        found: the profile of the data.
        contract: column name to the type in a curated schema.
        spec: the inputs; an image is checked, and a series in the cells of a CSV is divided.
    """
    contract = contract or {}
    types = {
        column.name: widest(column.dtype, contract.get(column.name, "empty"))
        for column in found.columns
    }
    for feature in spec.features if spec else ():
        if feature.name not in types:
            continue
        if feature.kind == "image":
            types[feature.name] = "image"
        elif feature.kind == "series" and found.column(feature.name).dtype == "bytes":
            types[feature.name] = "floats"
    return types


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
            if source.is_table
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

"""Checks the column that says how much each row counts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from components.errors import ConfigError, DataRejected
from components.ingestion import tfrecord
from components.ingestion.column_stats import ColumnProfile
from components.ingestion.sources import Source
from components.ingestion.tables import cell_text


def check(source: Source, column: ColumnProfile) -> None:
    """Refuses weights that are no finite numbers from 0 up.

    Args:
        source: the files, to name the row.
        column: what is known of the weights; a missing one counts as 1.

    Raises:
        ConfigError: the column holds no numbers.
        DataRejected: a weight is negative or not finite, or all are 0.
    """
    name = column.name
    if column.dtype == "bytes" or column.max_values > 1:
        what = "text" if column.dtype == "bytes" else "several values a record"
        shown = f", such as {column.examples[0]!r}" if column.examples else ""
        raise ConfigError(
            f"label.weight: the column {name!r} holds {what}{shown}. A weight is one number."
        )
    if column.num_not_finite or (column.minimum is not None and column.minimum < 0):
        place, text = next(_wrong(source, name), (str(source.base_dir), "a value"))
        raise DataRejected(
            f"The weight {name!r} in {place}: {text} is not a finite number from 0 up. Fix the "
            "row; a row without a weight counts as 1."
        )
    if column.maximum == 0 and not column.num_missing:
        raise DataRejected(
            f"The weight {name!r} is 0 in every row, so no row counts. Fix the column, or remove "
            "label.weight."
        )


def _is_wrong(text: str) -> bool:
    try:
        value = float(text or 1)
    except ValueError:
        return True
    return not (math.isfinite(value) and value >= 0)


def _wrong(source: Source, name: str) -> Iterator[tuple[str, str]]:
    """The place and the text of each wrong weight: a second reading, only after a failure."""
    if source.is_table:
        for file, batch in source.table.batches([name]):
            for value in batch.column(0).to_pylist():
                text = "" if value is None else cell_text(value)
                if _is_wrong(text):
                    yield source.table.place_of(file, name, text), repr(text)
    elif source.format == "tfrecord":
        for file in source.files:
            yield from _wrong_records(file, name)


def _wrong_records(file: Path, name: str) -> Iterator[tuple[str, str]]:
    for index, record in enumerate(tfrecord.read_records(file), start=1):
        feature = tfrecord.parse(record).get(name)
        kind = feature.WhichOneof("kind") if feature is not None else None
        for value in getattr(feature, kind).value if kind else ():
            if _is_wrong(str(value)):
                yield f"{file}, record {index}", str(value)

"""Looks at the columns of Parquet, whose values have types, as if they were texts and numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.ingestion import images
from components.ingestion.column_stats import ColumnStats

# The headers of so many tell the size of all.
_MAX_IMAGES = 10_000


def add(stats: ColumnStats, block: pa.Array, file: Path) -> None:
    """Adds a block of rows to what is known of a column.

    Args:
        stats: what is known.
        block: texts of a CSV file, or values in the types that `components.ingestion.parquet`
            names; of a list, the first value counts, as it does in TFRecord.
        file: where they are from, to name a value that is no image.
    """
    if pa.types.is_large_list(block.type):
        lengths = pc.fill_null(pc.list_value_length(block), 0).to_numpy()
        stats.max_values = max(stats.max_values, int(lengths.max(initial=0)))
        starts = np.cumsum(lengths) - lengths
        places = pa.array(starts, mask=lengths == 0)
        block = block.flatten().take(places)
    if pa.types.is_null(block.type):
        block = block.cast(pa.string())
    if pa.types.is_binary(block.type) or pa.types.is_large_binary(block.type):
        block = _texts(stats, block, file)
    stats.add(block)


def _texts(stats: ColumnStats, block: pa.Array, file: Path) -> pa.StringArray:
    """Bytes as text; of an image no more than a word, for its bytes say nothing."""
    first = next((value for value in block if value.is_valid), None)
    is_first = stats.num_rows == stats.num_missing
    if is_first and first is not None and images.looks_like(first.as_py()):
        stats.images = images.ImageStats()
    if stats.images is None:
        try:
            return block.cast(pa.string())
        except pa.ArrowInvalid:
            values = block.to_pylist()
            return pa.array([v if v is None else v.decode("utf-8", "replace") for v in values])
    for number, value in enumerate(block, start=stats.num_rows + 1):
        if not value.is_valid or number > _MAX_IMAGES:
            continue
        try:
            stats.images.add(images.header(value.as_py()))
        except images.NotAnImage as error:
            stats.images.reject(f"{file}, row {number} of all", str(error))
    return pc.if_else(block.is_valid(), "image", pa.scalar(None, pa.string()))

"""Refuses what the configuration says of a column that the column is not.

Kinds and keys are checked before anything runs, so a key is never without effect.
"""

from __future__ import annotations

import re
from typing import NoReturn

from components.errors import ConfigError, DataRejected
from components.features import (
    BOOLEAN,
    CATEGORICAL,
    FALSE_WORDS,
    IMAGE,
    NUMERIC,
    SERIES,
    TIMESTAMP,
    TRUE_WORDS,
)
from components.ingestion.column_stats import ColumnProfile
from components.ingestion.settings import FeatureOverride

TEXT = "text"

# Who has which keys, and how that is said.
_KEYS: dict[str, tuple[tuple[str, ...], str]] = {
    NUMERIC: (
        ("buckets", "scale", "clip", "missing"),
        "only a numeric column has buckets, scale, clip and missing",
    ),
    CATEGORICAL: (
        ("hash_buckets", "oov_buckets", "top_k", "min_count"),
        "only a categorical column has hash_buckets, oov_buckets, top_k and min_count",
    ),
    TIMESTAMP: (("unit",), "only a timestamp has a unit"),
    IMAGE: (("height", "width", "channels"), "only an image has height, width and channels"),
    TEXT: (("length",), "only a text or a series has a length"),
    SERIES: (("length",), "only a text or a series has a length"),
}
# The beginning of a date of ISO 8601; the transform graph looks at the rest.
_DATE = re.compile(r"\s*\d{4}-\d\d-\d\d([T\s]|$)")


def is_boolean(column: ColumnProfile) -> bool:
    """Whether a column of text has values for true and for false, and no others.

    Only what is known of all values counts, so a column that has other values later is none.
    """
    words = {text.strip().lower() for text in column.examples}
    return (
        column.dtype == "bytes"
        and column.num_distinct == len(column.examples)
        and words <= TRUE_WORDS | FALSE_WORDS
        and bool(words & TRUE_WORDS)
        and bool(words & FALSE_WORDS)
    )


def check_values(name: str, dtype: str, kind: str, column: ColumnProfile | None) -> None:
    """Raises for a kind that the values of a column cannot be.

    Raises:
        ConfigError: the kind does not fit the values.
        DataRejected: a value of an image column is no image.
    """
    found = column.images if column else None
    if kind == IMAGE:
        if dtype != "bytes" or (column is not None and found is None):
            shown = f", such as {column.examples[0]!r}" if column and column.examples else ""
            what = "text" if dtype == "bytes" else f"{dtype}s"
            refuse(name, f"holds {what}{shown} and cannot be an image", "Name another kind.")
        if found is not None and found.problem:
            raise DataRejected(
                f"Column {name!r} in {found.problem}. It is no PNG, JPEG, GIF or BMP image: remove "
                "the record, or save the image as one."
            )
    elif found is not None:
        refuse(name, f"holds images and cannot be {kind}", "Leave out the kind, or ignore it.")
    elif kind == TEXT and dtype != "bytes":
        refuse(name, f"holds {dtype}s and cannot be text", "Leave it numeric.")
    elif kind == SERIES and dtype == "bytes" and not (column and column.list_length):
        refuse(
            name,
            "holds text and cannot be a series",
            "A series in a CSV file is a cell of numbers with spaces between them.",
        )
    elif kind in (NUMERIC, CATEGORICAL, BOOLEAN, TIMESTAMP):
        _check_scalar(name, dtype, kind, column)


def _check_scalar(name: str, dtype: str, kind: str, column: ColumnProfile | None) -> None:
    if dtype == "bytes" and kind == NUMERIC:
        fix = "Fix its cells that are not numbers, or leave it categorical."
        refuse(name, "holds text and cannot be numeric", fix)
    if dtype == "float" and kind == CATEGORICAL:
        fix = "Write its values as whole numbers or text, or give it buckets."
        refuse(name, "holds floats and cannot be categorical", fix)
    if column is None:
        return
    if column.max_values > 1:
        fix = "Make it a series, or ignore it."
        refuse(name, f"has up to {column.max_values} values a record, so it is not {kind}", fix)
    if kind == BOOLEAN:
        _check_boolean(name, column)
    if kind == TIMESTAMP and dtype == "bytes":
        wrong = [text for text in column.examples if not _DATE.match(text)]
        if wrong:
            fix = "Write dates as 2014-05-01 or 2014-05-01 17:30:00, or name another kind."
            refuse(name, f"holds text such as {wrong[0]!r}, which is no point in time", fix)


def _check_boolean(name: str, column: ColumnProfile) -> None:
    """Raises for a value that is neither true nor false, of those that are known."""
    if column.dtype == "bytes":
        known = TRUE_WORDS | FALSE_WORDS
        wrong = [repr(text) for text in column.examples if text.strip().lower() not in known]
    else:
        ends = (column.minimum, column.maximum)
        wrong = [f"{end:g}" for end in ends if end is not None and end not in (0, 1)]
    if wrong:
        fix = "Write it as true and false, yes and no or 1 and 0, or name another kind."
        refuse(name, f"has the value {wrong[0]} and cannot be boolean", fix)


def check_keys(name: str, kind: str, said: FeatureOverride) -> None:
    """Raises for a key that a column of this kind has not."""
    own = _KEYS[kind][0] if kind in _KEYS else ()
    for keys, owner in _KEYS.values():
        if any(getattr(said, key) is not None and key not in own for key in keys):
            refuse(name, f"is {kind}: {owner}", "Remove the key, or name the kind.")


def refuse(name: str, reason: str, fix: str) -> NoReturn:
    """Raises ConfigError: what is wrong with a column, and what to do."""
    raise ConfigError(f"The column {name!r} (features) {reason}. {fix}")

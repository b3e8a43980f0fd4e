"""Says where and why a CSV file cannot be read: a slow second reading, only after a failure."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from components.errors import DataRejected
from components.ingestion.dialect import GZIP_ERRORS, Dialect, lines, open_utf8

_SENTINEL = "\x03\x04"
_SHOWN_CHARACTERS = 60


def explain(file: Path, names: Sequence[str], dialect: Dialect, reason: str) -> NoReturn:
    """Raises DataRejected for the first row that is wrong.

    Args:
        file: a file that failed to be read.
        names: its column names.
        dialect: how it is written.
        reason: what the fast reader said; shown if this one finds nothing wrong.
    """
    sentinel = dialect.delimiter.join([_SENTINEL] * len(names))
    reader = dialect.rows(_lines(file, dialect, sentinel))
    start, next_start, row = 1, 1, [_SENTINEL]
    try:
        for row in reader:
            start, next_start = next_start, reader.line_num + 1
            _check_row(file, names, dialect, row, start, reader.line_num)
    except GZIP_ERRORS as error:
        raise DataRejected(f"{file} is a damaged gzip file: {error}.") from error
    except csv.Error as error:
        if "field limit" in str(error):
            _explain_open_quote(file, next_start)
        raise DataRejected(f"{file}, line {next_start}: {error}. Check the line ends.") from error
    if row != [_SENTINEL] * len(names):
        _explain_open_quote(file, start)
    raise DataRejected(f"{file} cannot be read as CSV: {reason}.")


def line_of(file: Path, names: Sequence[str], dialect: Dialect, column: str, text: str) -> int:
    """The line where the first row starts whose `column` is `text`; 0 if there is none."""
    return find(file, names, dialect, column, text.__eq__)[0]


def find(
    file: Path,
    names: Sequence[str],
    dialect: Dialect,
    column: str,
    is_wanted: Callable[[str], bool],
) -> tuple[int, str]:
    """The line where the first row starts whose cell of `column` is wanted, and the cell.

    0 and an empty text if there is none.
    """
    index = names.index(column)
    reader = dialect.rows(_lines(file, dialect, ""))
    start, is_header = 1, not dialect.columns
    for row in reader:
        if is_header:
            is_header = not row
        elif len(row) == len(names) and is_wanted(row[index]):
            return start, row[index]
        start = reader.line_num + 1
    return 0, ""


def explain_nul(file: Path, line: int, text: bytes) -> NoReturn:
    """Raises DataRejected for a NUL byte."""
    raise DataRejected(
        f"{file}, line {line}: {_shorten(repr(text.decode('utf-8', 'replace')))} contains a NUL "
        "byte, so the file is not text, or is UTF-16: then set data.encoding to utf-16."
    )


def explain_encoding(file: Path, line: int, error: UnicodeDecodeError) -> NoReturn:
    """Raises DataRejected for a byte that is not UTF-8."""
    raise DataRejected(
        f"{file}, line {line}: the byte {error.object[error.start]:#04x} is not UTF-8. Name "
        "its encoding in data.encoding, or save the file as UTF-8."
    ) from error


def _lines(file: Path, dialect: Dialect, sentinel: str) -> Iterator[str]:
    with open_utf8(file, dialect) as handle:
        for line in lines(handle):
            yield line.decode("utf-8", "surrogateescape")
    yield "\n"
    yield sentinel


def _check_row(
    file: Path, names: Sequence[str], dialect: Dialect, row: list[str], start: int, end: int
) -> None:
    """Raises DataRejected for a row of another length than the header, or with wrong bytes."""
    for name, cell in zip(names, row, strict=False):
        where = f"Column {name!r} in {file}, line {start}"
        if "\0" in cell:
            raise DataRejected(
                f"{where}: {_show(cell)} contains a NUL byte. Remove it, or save the file as UTF-8."
            )
        bad = next((char for char in cell if "\udc80" <= char <= "\udcff"), None)
        if bad:
            raise DataRejected(
                f"{where}: {_show(cell)} contains the byte {ord(bad) - 0xDC00:#04x}, which is not "
                "UTF-8. Name its encoding in data.encoding, or save the file as UTF-8."
            )
    if row and len(row) != len(names):
        lines = f"line {start}" if end <= start else f"lines {start} to {end}"
        hint = "" if end <= start else " A quoted cell runs over several lines: is a quote missing?"
        namer = "data.columns names" if dialect.columns else "the header names"
        missing = f", so {names[len(row)]!r} has none" if len(row) < len(names) else ""
        raise DataRejected(
            f"{file}, {lines}: {len(row)} fields where {namer} {len(names)} "
            f"columns{missing}: {_show(','.join(row))}. Fix the row; a cell that contains the "
            f"delimiter needs quotes.{hint}"
        )


def _explain_open_quote(file: Path, line: int) -> NoReturn:
    raise DataRejected(
        f"{file}, line {line}: a quoted cell of the row that starts here is never closed. Add the "
        'missing ", or double a " that belongs to the text.'
    )


def _show(text: str) -> str:
    return _shorten(
        repr(text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))
    )


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"

"""Says where and why a CSV file cannot be read: a slow second reading, only after a failure."""

from __future__ import annotations

import csv
import gzip
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from components.errors import DataRejected

_SENTINEL = "\x03\x04"
_SHOWN_CHARACTERS = 60


def explain(file: Path, names: tuple[str, ...], delimiter: str, reason: str) -> NoReturn:
    """Raises DataRejected for the first row that is wrong.

    Args:
        file: a file that failed to be read.
        names: its column names.
        delimiter: what separates its fields.
        reason: what the fast reader said; shown if this one finds nothing wrong.
    """
    reader = csv.reader(_lines(file, delimiter.join([_SENTINEL] * len(names))), delimiter=delimiter)
    start, next_start, row = 1, 1, [_SENTINEL]
    try:
        for row in reader:
            start, next_start = next_start, reader.line_num + 1
            _check_row(file, names, row, start, reader.line_num)
    except csv.Error as error:
        if "field limit" in str(error):
            _explain_open_quote(file, next_start)
        raise DataRejected(f"{file}, line {next_start}: {error}. Check the line ends.") from error
    if row != [_SENTINEL] * len(names):
        _explain_open_quote(file, start)
    raise DataRejected(f"{file} cannot be read as CSV: {reason}.")


def line_of(file: Path, names: tuple[str, ...], delimiter: str, column: str, text: str) -> int:
    """The line where the first row starts whose `column` is `text`; 0 if there is none."""
    index = names.index(column)
    reader = csv.reader(_lines(file, ""), delimiter=delimiter)
    start = 1
    for row in reader:
        if len(row) == len(names) and row[index] == text:
            return start
        start = reader.line_num + 1
    return 0


def explain_nul(file: Path, line: int, text: bytes) -> NoReturn:
    """Raises DataRejected for a NUL byte."""
    raise DataRejected(
        f"{file}, line {line}: {_shorten(repr(text.decode('utf-8', 'replace')))} contains a NUL "
        "byte, so the file is not text, or is UTF-16. Save it as UTF-8."
    )


def explain_encoding(file: Path, line: int, error: UnicodeDecodeError) -> NoReturn:
    """Raises DataRejected for a byte that is not UTF-8."""
    raise DataRejected(
        f"{file}, line {line}: the byte {error.object[error.start]:#04x} is not UTF-8. Save the "
        "file as UTF-8."
    ) from error


def _lines(file: Path, sentinel: str) -> Iterator[str]:
    with gzip.open(file) if _is_gzip(file) else file.open("rb") as handle:
        first = handle.readline().removeprefix(b"\xef\xbb\xbf")
        for line in itertools.chain([first], handle):
            yield line.decode("utf-8", "surrogateescape")
    yield "\n"
    yield sentinel


def _is_gzip(file: Path) -> bool:
    with file.open("rb") as handle:
        return handle.read(2) == b"\x1f\x8b"


def _check_row(file: Path, names: tuple[str, ...], row: list[str], start: int, end: int) -> None:
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
                "UTF-8. Save the file as UTF-8."
            )
    if row and len(row) != len(names):
        lines = f"line {start}" if end <= start else f"lines {start} to {end}"
        hint = "" if end <= start else " A quoted cell runs over several lines: is a quote missing?"
        missing = f", so {names[len(row)]!r} has none" if len(row) < len(names) else ""
        raise DataRejected(
            f"{file}, {lines}: {len(row)} fields where the header names {len(names)} "
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

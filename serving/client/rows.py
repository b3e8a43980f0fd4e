"""The rows to ask about: from CSV, from lines of JSON, or from image files."""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from serving.client.errors import RowError, UsageError

FORMATS = ("csv", "jsonl", "image")
STANDARD_INPUT = "-"
# The name of the only column of an image file; whatever the model calls it.
IMAGE = "image file"
_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".bmp")
_JSON = (".jsonl", ".ndjson", ".json")
_SHOWN_CHARACTERS = 80


@dataclasses.dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        place: the file and the line, for a message.
        values: by column; text in CSV, anything that JSON has otherwise, bytes of an image.
    """

    place: str
    values: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Source:
    """Where rows come from.

    Attributes:
        paths: files; `-` is the standard input.
        format: `csv`, `jsonl` or `image`.
        delimiter: what separates the fields of CSV.
    """

    paths: tuple[str, ...]
    format: str
    delimiter: str = ","

    @classmethod
    def of(cls, paths: Sequence[str], format_: str | None, delimiter: str) -> Source:
        """Tells the format from the names where none is given.

        Raises:
            UsageError: a path is no file, or the names say different formats.
        """
        for path in paths:
            if path != STANDARD_INPUT and not Path(path).is_file():
                what = "is a folder" if Path(path).is_dir() else "does not exist"
                raise UsageError(f"The input {path} {what}. Name a CSV or JSON lines file.")
        found = sorted({format_ or _format_of(path) for path in paths})
        if len(found) > 1:
            raise UsageError(f"The inputs are of several formats, {', '.join(found)}; name one.")
        if len(delimiter) != 1:
            raise UsageError(f"--delimiter {delimiter!r} is not one character.")
        return cls(tuple(paths), found[0], delimiter)

    def rows(self) -> Iterator[Row]:
        """Yields all rows, file by file.

        Raises:
            RowError: a row cannot be read; says where.
        """
        for path in self.paths:
            if self.format == "image":
                yield Row(path, {IMAGE: Path(path).read_bytes()})
                continue
            with _opened(path) as file:
                try:
                    yield from (
                        _csv(path, file, self.delimiter)
                        if self.format == "csv"
                        else _json(path, file)
                    )
                except UnicodeDecodeError as error:
                    raise RowError(
                        f"{path}: the byte {error.object[error.start]:#04x} is not UTF-8. Save "
                        "the file as UTF-8."
                    ) from error


def _format_of(path: str) -> str:
    suffix = Path(path).suffix.lower()
    if suffix in _IMAGES:
        return "image"
    return "jsonl" if suffix in _JSON else "csv"


def _opened(path: str) -> IO[str]:
    if path == STANDARD_INPUT:
        # As a file, so that closing it closes nothing but this.
        return open(sys.stdin.fileno(), encoding="utf-8-sig", newline="", closefd=False)
    try:
        return Path(path).open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise UsageError(f"The input {path} cannot be read: {error.strerror}.") from error


def _header(path: str, reader: Iterator[list[str]]) -> list[str]:
    names: list[str] = next((row for row in reader if row), [])
    if not any(names):
        raise RowError(f"{path} is empty. Its first line names the columns.")
    for name in names:
        if names.count(name) > 1:
            raise RowError(f"{path}, line 1: the column {name!r} is named twice. Rename one.")
    return names


def _csv(path: str, file: IO[str], delimiter: str) -> Iterator[Row]:
    reader = csv.reader(file, delimiter=delimiter)
    line = 0
    try:
        names = _header(path, reader)
        line = reader.line_num
        for cells in reader:
            place, line = f"{path}, line {line + 1}", reader.line_num
            if not cells:
                continue
            if len(cells) != len(names):
                raise RowError(
                    f"{place}: {len(cells)} fields where the header names {len(names)} columns: "
                    f"{_shown(delimiter.join(cells))}. Fix the row; a cell that contains the "
                    "delimiter needs quotes."
                )
            yield Row(place, dict(zip(names, cells, strict=True)))
    except csv.Error as error:
        raise RowError(f"{path}, line {line + 1}: {error}. Check its quotes.") from error


def _json(path: str, file: IO[str]) -> Iterator[Row]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            found = json.loads(line)
        except ValueError as error:
            raise RowError(f"{place}: {_shown(line)} is no JSON: {error}.") from error
        if not isinstance(found, dict):
            raise RowError(
                f"{place}: {_shown(line)} is no row. Write one object of column to value a line."
            )
        yield Row(place, found)


def _shown(text: str) -> str:
    text = text.strip()
    shown = text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
    return repr(shown)

"""Reads CSV files in bounded memory: the header, then batches of text cells.

Every column is read as text, because a type can only be told from the whole file. Imports nothing
heavier than pyarrow.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.csv as arrow_csv

from components.errors import DataRejected, nearest
from components.ingestion import csv_diagnosis
from components.ingestion.dialect import BOM, GZIP_ERRORS, Dialect, open_utf8, skip

__all__ = [
    "BLOCK_BYTES",
    "Header",
    "Section",
    "check_same_columns",
    "read_batches",
    "read_header",
    "sections",
]

BLOCK_BYTES = 4 << 20

# A last row of our own: if it does not come back, a quote was still open at the end of the file.
_SENTINEL = "\x03\x04"


@dataclasses.dataclass(frozen=True)
class Header:
    """What comes before the data of a file: its size (bytes of UTF-8, lines), the column names."""

    names: tuple[str, ...]
    num_bytes: int
    num_lines: int


@dataclasses.dataclass(frozen=True)
class Section:
    """The data rows of a file between two offsets, in bytes of UTF-8; `stop` None is its end."""

    file: Path
    start: int
    stop: int | None = None


def read_header(file: Path, dialect: Dialect | str) -> Header:
    """The column names of one file, and where its data begins.

    Args:
        file: the file, compressed or not.
        dialect: how it is written; a text is its delimiter.

    Raises:
        DataRejected: the file is empty or damaged, is not the text that the dialect says, or a
            name is missing or given twice.
    """
    dialect = Dialect.of(dialect)
    num_bytes = num_lines = 0

    def lines(handle: IO[bytes]) -> Iterator[str]:
        nonlocal num_bytes, num_lines
        for line in handle:
            text = line.removeprefix(BOM) if num_lines == 0 else line
            num_bytes += len(line)
            num_lines += 1
            if b"\0" in line:
                csv_diagnosis.explain_nul(file, num_lines, line)
            yield text.decode("utf-8")

    try:
        with open_utf8(file, dialect) as handle:
            if dialect.columns:
                return _without_header(file, handle, dialect)
            names: list[str] = next(
                (row for row in dialect.rows(lines(handle), strict=True) if row), []
            )
    except UnicodeDecodeError as error:
        csv_diagnosis.explain_encoding(file, num_lines, error)
    except csv.Error as error:
        raise DataRejected(
            f"{file}, line {num_lines}: the header cannot be read: {error}. Check its quotes and "
            "line ends."
        ) from error
    except GZIP_ERRORS as error:
        raise DataRejected(f"{file} is a damaged gzip file: {error}.") from error
    _check_names(file, names, dialect.delimiter)
    return Header(tuple(names), num_bytes, num_lines)


def _without_header(file: Path, handle: IO[bytes], dialect: Dialect) -> Header:
    head = handle.read(len(BOM))
    if not head:
        raise DataRejected(f"{file} is empty. Each line is a row; data.columns names the columns.")
    return Header(dialect.columns, len(BOM) if head == BOM else 0, 0)


def check_same_columns(first: Path, names: Sequence[str], file: Path, found: Sequence[str]) -> None:
    """Raises DataRejected if `file` has other columns than the first file; any order will do."""
    lacks = [name for name in names if name not in found]
    adds = [name for name in found if name not in names]
    if lacks:
        what = f"lacks the column {lacks[0]!r} of {first.name}.{nearest(lacks[0], adds)}"
    elif adds:
        what = f"has the column {adds[0]!r}, which {first.name} has not."
    else:
        return
    raise DataRejected(f"{file}: the file {what} All files of a source need the same columns.")


def sections(
    file: Path, header: Header, section_bytes: int, dialect: Dialect | str = ","
) -> tuple[Section, ...]:
    """Divides a file into parts that can be read apart from each other.

    A file with a quote character is one part, because a quoted cell may contain line breaks; so is
    one that is compressed or not UTF-8.
    """
    dialect = Dialect.of(dialect)
    whole = (Section(file, header.num_bytes),)
    size = file.stat().st_size
    if size - header.num_bytes <= section_bytes or not dialect.is_utf8:
        return whole
    starts = [header.num_bytes]
    with file.open("rb") as handle:
        if handle.read(2) == b"\x1f\x8b":
            return whole
        handle.seek(header.num_bytes)
        while dialect.quote is not None and (block := handle.read(1 << 20)):
            if dialect.quote.encode() in block:
                return whole
        while starts[-1] + section_bytes < size:
            handle.seek(starts[-1] + section_bytes)
            handle.readline()
            starts.append(min(handle.tell(), size))
    ends = [*starts[1:], size]
    return tuple(Section(file, start, stop) for start, stop in zip(starts, ends, strict=True))


def read_batches(
    section: Section,
    names: Sequence[str],
    dialect: Dialect | str,
    *,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[pa.RecordBatch]:
    """Yields the rows as text.

    Args:
        section: what to read.
        names: the column names of this file, in its order.
        dialect: how it is written; a text is its delimiter.
        block_bytes: how much is parsed at a time; a row longer than this is rejected.

    Yields:
        Record batches of string columns in the order of `names`; an empty cell is null.

    Raises:
        DataRejected: the rows cannot be read; says where and why.
    """
    dialect = Dialect.of(dialect)
    try:
        with open_utf8(section.file, dialect) as handle:
            skip(handle, section.start)
            tail = "\n" + dialect.delimiter.join([_SENTINEL] * len(names)) + "\n"
            body = _Body(handle, section, tail.encode())
            yield from _without_sentinel(_parse(body, names, dialect, block_bytes))
    except pa.ArrowInvalid as error:
        csv_diagnosis.explain(section.file, names, dialect, str(error))
    except GZIP_ERRORS as error:
        raise DataRejected(f"{section.file} is a damaged gzip file: {error}.") from error


def _parse(
    body: io.RawIOBase, names: Sequence[str], dialect: Dialect, block_bytes: int
) -> Iterator[pa.RecordBatch]:
    reader = arrow_csv.open_csv(
        body,
        read_options=arrow_csv.ReadOptions(column_names=list(names), block_size=block_bytes),
        parse_options=arrow_csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote or False,
            newlines_in_values=dialect.quote is not None,
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    yield from reader


def _without_sentinel(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    held: pa.RecordBatch | None = None
    for batch in batches:
        if not len(batch):
            continue
        if held is not None:
            yield held
        held = batch
    last = held.slice(len(held) - 1).to_pylist()[0] if held is not None else {}
    if held is None or any(value != _SENTINEL for value in last.values()):
        raise pa.ArrowInvalid("a quote is still open at the end of the file")
    yield held.slice(0, len(held) - 1)


class _Body(io.RawIOBase):
    """A line break, the bytes of a section, then a tail; refuses NUL bytes.

    Arrow skips an empty line, and would skip a first cell's U+FEFF as a byte order mark.
    """

    def __init__(self, handle: IO[bytes], section: Section, tail: bytes) -> None:
        super().__init__()
        self._handle = handle
        self._left = None if section.stop is None else section.stop - section.start
        self._head = b"\n"
        self._tail = tail

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self._head:
            block, self._head = self._head, b""
            return block
        wanted = size if self._left is None else min(size, self._left)
        block = self._handle.read(wanted)
        if b"\0" in block:
            raise pa.ArrowInvalid("a NUL byte")
        if self._left is not None:
            self._left -= len(block)
        if not block:
            cut = len(self._tail) if size < 0 else size
            block, self._tail = self._tail[:cut], self._tail[cut:]
        return block


def _check_names(file: Path, names: list[str], delimiter: str) -> None:
    if not names:
        raise DataRejected(
            f"{file} is empty. The first line must name the columns, the next lines are the rows."
        )
    for index, name in enumerate(names):
        if not name.strip():
            raise DataRejected(
                f"{file}, line 1: column {index + 1} of {len(names)} has no name. Name it, or "
                "remove the column."
            )
        if name in names[:index]:
            raise DataRejected(
                f"{file}, line 1: the name {name!r} is given twice, to columns "
                f"{names.index(name) + 1} and {index + 1}. Rename one."
            )
    if len(names) == 1:
        other = next((mark for mark in ";\t|," if mark != delimiter and mark in names[0]), None)
        if other:
            raise DataRejected(
                f"{file}, line 1: the header {names[0][:80]!r} is one column when split at "
                f"{delimiter!r}. Set data.delimiter to {other!r}."
            )

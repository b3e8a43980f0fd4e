"""How the cells of a CSV file are written, and the file's content as UTF-8, whatever it is in."""

from __future__ import annotations

import codecs
import csv
import dataclasses
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from components.errors import DataRejected

BOM = codecs.BOM_UTF8
# What a damaged gzip file raises while it is read.
GZIP_ERRORS = (EOFError, gzip.BadGzipFile, zlib.error)

_UTF8 = "utf-8"
_BLOCK_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How cells are written.

    Attributes:
        delimiter: what separates fields.
        quote: what a cell that contains the delimiter or a line break begins and ends with; None
            if no cell does.
        encoding: the codec of Python that reads the file.
        columns: the names of the columns of a file without a header; empty where the first row
            names them.
    """

    delimiter: str = ","
    quote: str | None = '"'
    encoding: str = _UTF8
    columns: tuple[str, ...] = ()

    @classmethod
    def of(cls, dialect: Dialect | str) -> Dialect:
        """A dialect as it is; of a text, the dialect with that delimiter."""
        return cls(delimiter=dialect) if isinstance(dialect, str) else dialect

    @property
    def is_utf8(self) -> bool:
        """Whether the bytes can be read as they are."""
        return codecs.lookup(self.encoding).name in (_UTF8, "utf-8-sig")

    @property
    def head_rows(self) -> int:
        """How many rows are no data: 1 for a header."""
        return 0 if self.columns else 1

    def rows(self, lines: Iterable[str], *, strict: bool = False) -> Any:
        """Python's CSV reader for lines of this dialect."""
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote,
            quoting=csv.QUOTE_NONE if self.quote is None else csv.QUOTE_MINIMAL,
            strict=strict,
        )


def open_bytes(file: Path) -> IO[bytes]:
    """The content of a file as bytes, decompressed if it is gzip."""
    handle = file.open("rb")
    compressed = handle.read(2) == b"\x1f\x8b"
    handle.seek(0)
    if not compressed:
        return handle
    return cast(IO[bytes], gzip.GzipFile(fileobj=handle, mode="rb"))


def open_utf8(file: Path, dialect: Dialect) -> IO[bytes]:
    """The content of a file as UTF-8, decompressed if it is gzip.

    What says to be UTF-8 is handed on as it is. Otherwise, reading raises DataRejected for bytes
    that the encoding does not have.
    """
    handle = open_bytes(file)
    if dialect.is_utf8:
        return handle
    return cast(IO[bytes], io.BufferedReader(_Recoded(handle, file, dialect.encoding)))


def skip(handle: IO[bytes], num_bytes: int) -> None:
    """Goes `num_bytes` on from the start of the file."""
    if handle.seekable():
        handle.seek(num_bytes)
        return
    while num_bytes and (block := handle.read(min(num_bytes, _BLOCK_BYTES))):
        num_bytes -= len(block)


def lines(handle: IO[bytes]) -> Iterator[bytes]:
    """The lines of a file that is UTF-8, without a byte order mark."""
    for index, line in enumerate(handle):
        yield line if index else line.removeprefix(BOM)


class _Recoded(io.RawIOBase):
    """The text of a file as UTF-8, decoded a block at a time."""

    def __init__(self, handle: IO[bytes], file: Path, encoding: str) -> None:
        super().__init__()
        self._handle = handle
        self._file = file
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        self._left = memoryview(b"")
        self._num_lines = 1
        self._is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left and not self._is_over:
            self._fill()
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def close(self) -> None:
        self._handle.close()
        super().close()

    def _fill(self) -> None:
        block = self._handle.read(_BLOCK_BYTES)
        self._is_over = not block
        try:
            text = self._decoder.decode(block, self._is_over)
            recoded = text.encode()
        except UnicodeError as error:
            self._refuse(error)
        self._num_lines += recoded.count(b"\n")
        self._left = memoryview(recoded)

    def _refuse(self, error: UnicodeError) -> NoReturn:
        line, what = self._num_lines, "the text"
        if isinstance(error, UnicodeDecodeError):
            before = error.object[: error.start].decode(self._encoding, "ignore")
            line += before.count("\n")
            what = f"the byte {error.object[error.start]:#04x}"
        raise DataRejected(
            f"{self._file}, line {line}: {what} is not {self._encoding} (data.encoding): "
            f"{getattr(error, 'reason', error)}. Name the encoding that the file is written in, or "
            "save it as UTF-8."
        ) from error

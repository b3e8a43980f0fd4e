"""Tells CSV, Parquet and TFRecord apart by names and first bytes."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from components.errors import ConfigError
from components.ingestion import images, parquet
from components.ingestion.dialect import GZIP_ERRORS

Format = Literal["csv", "parquet", "tfrecord", "images"]

_CSV_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_PARQUET_SUFFIXES = (".parquet", ".pq")
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_FOREIGN = {
    b"PK\x03\x04": "Excel or zip",
    b"Obj\x01": "Avro",
    b"ARROW1": "Arrow",
}
_NAMES_IN_MESSAGE = 3


def common_format(files: Sequence[Path], wanted: str) -> Format:
    """The one format of the files.

    Args:
        files: at least one; each is opened to see that it can be.
        wanted: `csv`, `parquet` or `tfrecord` if it is known, else `auto`.

    Raises:
        ConfigError: they are of two kinds, or of one that is not read.
    """
    for file in files:
        with file.open("rb"):
            pass
    if wanted in ("csv", "parquet", "tfrecord"):
        return wanted  # type: ignore[return-value]
    kinds: dict[Format, list[str]] = {}
    for file in files:
        kinds.setdefault(_format_of(file), []).append(file.name)
    if len(kinds) > 1:
        raise ConfigError(
            f"{files[0].parent} (data.path) holds files of two kinds: "
            + " and ".join(f"{kind} ({_shorten(names)})" for kind, names in kinds.items())
            + ". Give one file, or a folder with files of one kind."
        )
    return next(iter(kinds))


def format_by_name(file: Path) -> Format | None:
    """CSV, Parquet or TFRecord, where the name says so."""
    name = file.name.lower()
    if "tfrecord" in name:
        return "tfrecord"
    if name.endswith(_PARQUET_SUFFIXES):
        return "parquet"
    return "csv" if name.endswith(_CSV_SUFFIXES) else None


def _shorten(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMES_IN_MESSAGE])
    rest = len(names) - _NAMES_IN_MESSAGE
    return f"{shown} and {rest} more" if rest > 0 else shown


def _format_of(file: Path) -> Format:
    """The format, by name where that is clear, else by the first bytes."""
    named = format_by_name(file)
    if named is not None:
        return named
    head = _read_head(file, 32)
    if head.startswith(parquet.MAGIC):
        return "parquet"
    if images.looks_like(head):
        raise ConfigError(
            f"{file} (data.path) is an image outside of any class folder. Put each image into the "
            f"folder that is named after its class, such as photos/cat/{file.name}, and name "
            "photos."
        )
    for magic, kind in _FOREIGN.items():
        if head.startswith(magic):
            raise ConfigError(
                f"{file} (data.path) looks like {kind}; Waybill reads CSV, Parquet, TFRecord and "
                "folders of images. Export the table as CSV or Parquet."
            )
    # A record starts with its length in 8 bytes, little endian: the upper half is zero, which no
    # text has.
    if len(head) >= 12 and head[4:8] == b"\0\0\0\0":
        return "tfrecord"
    if b"\0" in head and not head.startswith(_UTF16_MARKS):
        raise ConfigError(
            f"{file} (data.path) is neither CSV, Parquet nor TFRecord: it starts with {head!r}. "
            "Remove it from the folder, or set data.format."
        )
    return "csv"


def _read_head(file: Path, num_bytes: int) -> bytes:
    """The first bytes of a file, decompressed if it is gzip."""
    with file.open("rb") as handle:
        head = handle.read(num_bytes)
    if not head.startswith(b"\x1f\x8b"):
        return head
    try:
        with gzip.open(file) as handle:
            return handle.read(num_bytes)
    except GZIP_ERRORS as error:
        raise ConfigError(f"{file} (data.path) is a damaged gzip file: {error}.") from error

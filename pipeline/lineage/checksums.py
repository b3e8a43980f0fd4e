"""What an artifact's files are: how many, how large, and one hash of them all."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from serving import contents


@dataclass(frozen=True)
class Contents:
    """The files at one place.

    Attributes:
        num_files: how many.
        num_bytes: their sizes together.
        sha256: of their names relative to the place, sizes and contents, as hex
            (`serving.contents.digest_of`).
    """

    num_files: int
    num_bytes: int
    sha256: str


def local_path(uri: str) -> Path | None:
    """The path of a URI on this machine; None for a place elsewhere, or none at all."""
    parts = urlsplit(uri)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(parts.path)
    return Path(uri) if uri.startswith("/") else None


def read_contents(path: Path) -> Contents:
    """Reads and hashes a file, or every file of a folder.

    Raises:
        OSError: something cannot be read, or is not there.
    """
    if path.is_dir():
        records = contents.describe(path)
        return Contents(
            len(records),
            sum(record.size_bytes for record in records),
            contents.digest_of(records),
        )
    with path.open("rb") as reader:
        digest = hashlib.file_digest(reader, "sha256").hexdigest()
    record = contents.FileRecord(path.name, digest, path.stat().st_size)
    return Contents(1, record.size_bytes, contents.digest_of([record]))


def size_bytes(path: Path) -> int:
    """The size of a file, or of all files of a folder; 0 where nothing is."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.lstat().st_size for file in path.rglob("*") if file.is_file())

"""The files of a model folder: listed, hashed, and copied so that they survive a power cut."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

MANIFEST = "assets.extra/manifest.json"
_CHUNK_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class FileRecord:
    """One file: its path relative to the folder, in POSIX form, its sha256 (hex) and size."""

    path: str
    sha256: str
    size_bytes: int


def describe(folder: Path) -> tuple[FileRecord, ...]:
    """Reads and hashes every file of `folder` except its manifest, in order of their paths."""
    return tuple(_record(folder, path) for path in _paths(folder))


def sources(folder: Path, extras: Mapping[str, Path]) -> dict[str, Path]:
    """Where each file of a copy comes from, in order of its path in the copy.

    Args:
        folder: gives every file but its manifest.
        extras: files from elsewhere by their path in the copy; they win over those of `folder`.
    """
    found = {path: folder / path for path in _paths(folder)} | dict(extras)
    return dict(sorted(found.items()))


def copy(files: Mapping[str, Path], target: Path) -> tuple[FileRecord, ...]:
    """Copies files into the folder `target`, and syncs them to the disk.

    Args:
        files: where each file comes from, by its path in `target`.
        target: a folder without any of them.

    Returns:
        What was read, in the order of `files`, hashed on its way.
    """
    records = []
    for path, source in files.items():
        copied = target / path
        copied.parent.mkdir(parents=True, exist_ok=True)
        digest, size = hashlib.sha256(), 0
        with source.open("rb") as reader, copied.open("xb") as writer:
            while chunk := reader.read(_CHUNK_BYTES):
                digest.update(chunk)
                writer.write(chunk)
                size += len(chunk)
            _sync_file(writer)
        records.append(FileRecord(path, digest.hexdigest(), size))
    return tuple(records)


def digest_of(records: Iterable[FileRecord]) -> str:
    """One sha256 (hex) for the paths and contents of all files together."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(f"{record.sha256} {record.size_bytes} {record.path}\n".encode())
    return digest.hexdigest()


def write(path: Path, content: str | bytes) -> None:
    """Writes a new file and syncs it to the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as writer:
        writer.write(content.encode() if isinstance(content, str) else content)
        _sync_file(writer)


def replace(texts: Mapping[Path, str | bytes]) -> None:
    """Writes files that a reader sees as they were or as they will be; the disk, too.

    All are written under other names before the first takes its place, in the order given: a disk
    that is full changes nothing.

    Args:
        texts: the content of each file; only one process at a time may write it.
    """
    drafts = {path: path.with_name(f".{path.name.lstrip('.')}.draft") for path in texts}
    try:
        for path, content in texts.items():
            drafts[path].unlink(missing_ok=True)
            write(drafts[path], content)
        for path, draft in drafts.items():
            draft.replace(path)
    except BaseException:
        for draft in drafts.values():
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
        raise
    for folder in {path.parent for path in texts}:
        sync_folder(folder)


def sync_folders(root: Path) -> None:
    """Syncs the entries of `root` and of every folder below it to the disk."""
    for folder, _, _ in os.walk(root, topdown=False):
        sync_folder(Path(folder))


def sync_folder(folder: Path) -> None:
    """Syncs the entries of one folder to the disk: what was made or renamed in it stays so."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_file(writer: BinaryIO) -> None:
    writer.flush()
    os.fsync(writer.fileno())


def _paths(folder: Path) -> list[str]:
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in paths if path != MANIFEST)


def _record(folder: Path, path: str) -> FileRecord:
    with (folder / path).open("rb") as reader:
        digest = hashlib.file_digest(reader, "sha256").hexdigest()
        return FileRecord(path, digest, os.fstat(reader.fileno()).st_size)

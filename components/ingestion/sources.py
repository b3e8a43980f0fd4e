"""Finds the files of a source, tells CSV from TFRecord, and hashes their content.

Imports nothing heavy: a wrong path answers at once.
"""

from __future__ import annotations

import dataclasses
import glob
import gzip
import hashlib
import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from components.errors import ConfigError, nearest
from components.ingestion.settings import BUILTIN, DataSettings

Format = Literal["csv", "tfrecord"]

# Hidden files and markers such as `_SUCCESS` are nobody's data.
FOLDER_PATTERN = "[!._]*"
# How TFX lays out examples that are already split: the files one level down, taken together.
SPLIT_FOLDER_PATTERN = "Split-*/[!._]*"

_BUILTINS = {
    "taxi": "examples/chicago_taxi_pipeline/data/simple/data.csv",
    "penguin": "components/testdata/penguin/data",
}
_CSV_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_FOREIGN = {
    b"PAR1": "Parquet",
    b"PK\x03\x04": "Excel or zip",
    b"Obj\x01": "Avro",
    b"ARROW1": "Arrow",
}
_BLOCK_BYTES = 1 << 20
_NAMES_IN_MESSAGE = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """The files that are the data.

    Attributes:
        format: the kind of every file.
        base_dir: the folder that `pattern` and the relative names start from.
        pattern: a glob, relative to `base_dir`, that matches exactly `files`.
        files: absolute paths, sorted by relative name.
        num_bytes: total size on disk.
        content_hash: SHA-256 over relative names and contents, as hex.
        delimiter: what separates the fields of a CSV row.
    """

    format: Format
    base_dir: Path
    pattern: str
    files: tuple[Path, ...]
    num_bytes: int
    content_hash: str
    delimiter: str = ","


def resolve(settings: DataSettings) -> Source:
    """Finds and hashes the files that `settings.path` names.

    Raises:
        ConfigError: there is no such path, it cannot be read, it is an empty folder, or its files
            are not all of one kind.
    """
    path = _locate(settings.path)
    try:
        base_dir, pattern = _base_and_pattern(path)
        files = matching_files(base_dir, pattern)
        if not files:
            raise ConfigError(
                f"The folder {path} (data.path) holds no data file. Give a CSV or TFRecord file, "
                "or a folder that holds some."
            )
        found = _common_format(files, settings.format)
        if found == "tfrecord" and glob.has_magic(str(base_dir)):
            raise ConfigError(
                f"The folder {base_dir} (data.path) has one of the characters * ? [ in its name, "
                "which readers of TFRecord take for a wildcard. Rename it."
            )
        return Source(
            format=found,
            base_dir=base_dir,
            pattern=pattern,
            files=files,
            num_bytes=sum(file.stat().st_size for file in files),
            content_hash=content_hash(base_dir, files),
            delimiter=settings.delimiter,
        )
    except OSError as error:
        raise ConfigError(
            f"{error.filename or path} (data.path {settings.path!r}) cannot be read: "
            f"{error.strerror or error}. Check its permissions."
        ) from error


def matching_files(base_dir: Path, pattern: str) -> tuple[Path, ...]:
    """The files below `base_dir` that match `pattern`, sorted by name.

    `base_dir` is taken literally, whatever wildcard characters are in its name.
    """
    return tuple(sorted(path for path in base_dir.glob(pattern) if path.is_file()))


def content_hash(base_dir: Path, files: Iterable[Path]) -> str:
    """SHA-256 over each file's name relative to `base_dir`, size and content, in order of name."""
    digest = hashlib.sha256()
    for name, file in sorted((file.relative_to(base_dir).as_posix(), file) for file in files):
        encoded = name.encode("utf-8", "surrogateescape")
        digest.update(b"%d:%b%d:" % (len(encoded), encoded, file.stat().st_size))
        with file.open("rb") as handle:
            while block := handle.read(_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()


def _locate(path: str) -> Path:
    """The absolute path, or ConfigError with the nearest name that does exist."""
    if path.startswith(BUILTIN):
        return _locate_builtin(path.removeprefix(BUILTIN))
    found = Path(path).expanduser().absolute()
    try:
        found.stat()
    except PermissionError as error:
        raise ConfigError(f"{found} (data.path) cannot be read: permission denied.") from error
    except OSError as error:
        parent = found.parent
        while not parent.is_dir():
            found, parent = parent, parent.parent
        siblings = [child.name for child in parent.iterdir()]
        hint = nearest(found.name, siblings)
        raise ConfigError(
            f"There is no {path} (data.path): {parent} has no {found.name!r}.{hint}"
        ) from error
    return found


def _locate_builtin(name: str) -> Path:
    if name not in _BUILTINS:
        raise ConfigError(
            f"There is no built-in data set {name!r} (data.path); there are "
            f"{', '.join(BUILTIN + known for known in _BUILTINS)}.{nearest(name, _BUILTINS)}"
        )
    # The package is only located: importing it would load TensorFlow.
    package = importlib.util.find_spec("tfx")
    if package is None or not package.submodule_search_locations:
        raise ConfigError(f"{BUILTIN}{name} comes with the package tfx, which is not installed.")
    path = Path(package.submodule_search_locations[0], _BUILTINS[name])
    if not path.exists():
        raise ConfigError(f"{BUILTIN}{name}: this version of tfx does not come with {path}.")
    return path


def _base_and_pattern(path: Path) -> tuple[Path, str]:
    if not path.is_dir():
        return path.parent, glob.escape(path.name)
    # Names of folders that cannot be listed should fail here, not as an empty match.
    next(path.iterdir(), None)
    if not matching_files(path, FOLDER_PATTERN) and matching_files(path, SPLIT_FOLDER_PATTERN):
        return path, SPLIT_FOLDER_PATTERN
    return path, FOLDER_PATTERN


def _common_format(files: Sequence[Path], wanted: str) -> Format:
    for file in files:
        with file.open("rb"):
            pass
    if wanted != "auto":
        return "csv" if wanted == "csv" else "tfrecord"
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


def _shorten(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMES_IN_MESSAGE])
    rest = len(names) - _NAMES_IN_MESSAGE
    return f"{shown} and {rest} more" if rest > 0 else shown


def _format_of(file: Path) -> Format:
    """CSV or TFRecord, by name where that is clear, else by the first bytes."""
    name = file.name.lower()
    if "tfrecord" in name:
        return "tfrecord"
    if name.endswith(_CSV_SUFFIXES):
        return "csv"
    head = read_head(file, 16)
    for magic, kind in _FOREIGN.items():
        if head.startswith(magic):
            raise ConfigError(
                f"{file} (data.path) looks like {kind}; Waybill reads CSV and TFRecord. "
                "Export the table as CSV."
            )
    # A record starts with its length in 8 bytes, little endian: the upper half is zero, which no
    # text has.
    if len(head) >= 12 and head[4:8] == b"\0\0\0\0":
        return "tfrecord"
    if b"\0" in head:
        raise ConfigError(
            f"{file} (data.path) is neither CSV nor TFRecord: it starts with {head!r}. Remove it "
            "from the folder, or set data.format."
        )
    return "csv"


def read_head(file: Path, num_bytes: int) -> bytes:
    """The first bytes of a file, decompressed if it is gzip."""
    with file.open("rb") as handle:
        head = handle.read(num_bytes)
    if not head.startswith(b"\x1f\x8b"):
        return head
    try:
        with gzip.open(file) as handle:
            return handle.read(num_bytes)
    except (EOFError, gzip.BadGzipFile) as error:
        raise ConfigError(f"{file} (data.path) is a damaged gzip file: {error}.") from error

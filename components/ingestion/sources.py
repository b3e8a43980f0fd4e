"""Finds the files of a source, in splits if that is how they lie, and hashes their content.

Imports nothing heavy: a wrong path answers at once.
"""

from __future__ import annotations

import dataclasses
import glob
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from components.errors import ConfigError
from components.ingestion import image_folder, images, spans
from components.ingestion.dialect import Dialect
from components.ingestion.formats import Format, common_format, format_by_name
from components.ingestion.locations import locate
from components.ingestion.settings import DataSettings
from components.ingestion.tables import FORMATS as TABLE_FORMATS
from components.ingestion.tables import Table

# Hidden files and markers such as `_SUCCESS` are nobody's data.
FOLDER_PATTERN = "[!._]*"
# How TFX lays out examples that are already split: the files one level down, taken together.
SPLIT_FOLDER_PATTERN = "Split-*/[!._]*"

_BLOCK_BYTES = 1 << 20
# The name of the input where rows are split by what is in them.
_ALL = "all"
# Folders that are splits, if there is nothing beside them.
_SPLITS = (("train", "eval"), ("train", "eval", "test"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class RawFile:
    """A file of the data, as it is recorded.

    Attributes:
        path: absolute.
        bytes: its size.
        sha256: of its content, as hex.
    """

    path: str
    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """The files that are the data.

    Attributes:
        format: the kind of every file.
        base_dir: the folder that patterns and relative names start from.
        patterns: names with globs relative to `base_dir`, which together match exactly `files`. The
            names are those of the splits if there are several, else `all`.
        files: absolute paths, sorted by relative name.
        num_bytes: total size on disk.
        content_hash: SHA-256 over relative names and contents, as hex.
        dialect: how the cells of CSV are written.
        span_path: where deliveries lie; None for a path without a span.
        deliveries: the spans that were chosen, in order.
    """

    format: Format
    base_dir: Path
    patterns: tuple[tuple[str, str], ...]
    files: tuple[Path, ...]
    num_bytes: int
    content_hash: str
    dialect: Dialect = Dialect()  # noqa: RUF009
    span_path: spans.SpanPath | None = None
    deliveries: tuple[spans.Delivery, ...] = ()

    @property
    def split_folders(self) -> tuple[str, ...]:
        """The splits that are folders; none if rows are split by what is in them."""
        return tuple(name for name, _ in self.patterns if name != _ALL)

    @property
    def is_table(self) -> bool:
        """Whether the files are CSV or Parquet."""
        return self.format in TABLE_FORMATS

    @property
    def table(self) -> Table:
        """The rows of CSV and Parquet."""
        return Table(self.format, self.files, self.dialect)

    def split_files(self) -> Iterator[tuple[str, Path]]:
        """Each file with the name of its pattern."""
        for name, pattern in self.patterns:
            for file in matching_files(self.base_dir, pattern):
                yield name, file


def resolve(settings: DataSettings) -> Source:
    """Finds and hashes the files that `settings.path` names.

    Raises:
        ConfigError: there is no such path, it cannot be read, it is an empty folder, or its files
            are not all of one kind.
        DataRejected: a class folder of images is empty.
    """
    if spans.has_span(settings.path):
        return _span_source(settings)
    path = locate(settings.path)
    try:
        splits = _split_folders(path)
        if _is_image_folder(path / splits[0] if splits else path, settings.format):
            return _image_source(path, splits)
        base_dir, patterns = _base_and_patterns(path, splits)
        return _source(settings, base_dir, patterns, str(path))
    except OSError as error:
        raise ConfigError(
            f"{error.filename or path} (data.path {settings.path!r}) cannot be read: "
            f"{error.strerror or error}. Check its permissions."
        ) from error


def _source(
    settings: DataSettings, base_dir: Path, patterns: tuple[tuple[str, str], ...], shown: str
) -> Source:
    """The source that the patterns say."""
    for name, pattern in patterns:
        if name != _ALL and not matching_files(base_dir, pattern):
            raise ConfigError(
                f"The folder {base_dir / name} (data.path) holds no data file. Add one, or remove "
                "the folders of splits."
            )
    files = all_files(base_dir, (pattern for _, pattern in patterns))
    if not files:
        raise ConfigError(
            f"The folder {shown} (data.path) holds no data file. Give a file of CSV, Parquet or "
            "TFRecord, a folder that holds some, or one that holds a folder of images for each "
            "class."
        )
    return Source(
        format=common_format(files, settings.format),
        base_dir=base_dir,
        patterns=patterns,
        files=files,
        num_bytes=sum(file.stat().st_size for file in files),
        content_hash=content_hash(base_dir, files),
        dialect=Dialect(settings.delimiter, settings.quote, settings.encoding, settings.columns),
    )


def _span_source(settings: DataSettings) -> Source:
    path = spans.parse(settings.path)
    choice = spans.Choice(settings.span, settings.version, settings.window)
    chosen = spans.choose(path, choice)
    patterns = tuple((_ALL, delivery.pattern) for delivery in chosen)
    source = _source(settings, path.base_dir, patterns, settings.path)
    return dataclasses.replace(source, span_path=path, deliveries=chosen)


def matching_files(base_dir: Path, pattern: str) -> tuple[Path, ...]:
    """The files below `base_dir` that match `pattern`, sorted by name, without a desktop's own.

    `base_dir` is taken literally, whatever wildcard characters are in its name.
    """
    found = (path for path in base_dir.glob(_visible(pattern)) if path.is_file())
    return tuple(sorted(path for path in found if path.name.lower() not in image_folder.JUNK))


def all_files(base_dir: Path, patterns: Iterable[str]) -> tuple[Path, ...]:
    """The files below `base_dir` that match any of the patterns, sorted by name."""
    found = {file for pattern in patterns for file in matching_files(base_dir, pattern)}
    return tuple(sorted(found))


def _visible(pattern: str) -> str:
    """The pattern without what is hidden: a `*` at the start of a name matches no `.` or `_`."""
    parts = pattern.split("/")
    return "/".join(f"[!._]{part}" if part.startswith("*") else part for part in parts)


def content_hash(base_dir: Path, files: Iterable[Path]) -> str:
    """SHA-256 over each file's name relative to `base_dir`, size and content, in order of name."""
    whole = hashlib.sha256()
    _hash(base_dir, files, whole)
    return whole.hexdigest()


def hash_files(base_dir: Path, files: Iterable[Path]) -> tuple[str, tuple[RawFile, ...]]:
    """`content_hash`, and each file with its own hash, in order of name; reads each file once."""
    whole = hashlib.sha256()
    found = _hash(base_dir, files, whole, each=True)
    return whole.hexdigest(), found


def _hash(
    base_dir: Path, files: Iterable[Path], whole: hashlib._Hash, *, each: bool = False
) -> tuple[RawFile, ...]:
    found = []
    for name, file in sorted((file.relative_to(base_dir).as_posix(), file) for file in files):
        encoded = name.encode("utf-8", "surrogateescape")
        num_bytes = file.stat().st_size
        whole.update(b"%d:%b%d:" % (len(encoded), encoded, num_bytes))
        own = hashlib.sha256()
        with file.open("rb") as handle:
            while block := handle.read(_BLOCK_BYTES):
                whole.update(block)
                # Twice the work for the processor, so only where it is asked for.
                if each:
                    own.update(block)
        found.append(RawFile(path=str(file), bytes=num_bytes, sha256=own.hexdigest()))
    return tuple(found) if each else ()


def _split_folders(path: Path) -> tuple[str, ...]:
    """The folders of a path that are splits; none if it is laid out in another way."""
    if not path.is_dir():
        return ()
    # Names of folders that cannot be listed should fail here, not as an empty match.
    visible = [entry for entry in path.iterdir() if entry.name[0] not in "._"]
    visible = [entry for entry in visible if entry.name.lower() not in image_folder.JUNK]
    names = {entry.name for entry in visible if entry.is_dir()}
    if len(names) < len(visible) or not any(_holds_data(path / name) for name in names):
        return ()
    if names == {"train", "test"}:
        raise ConfigError(
            f"{path} (data.path) holds the folders train and test. The split that a model is "
            "judged on is called eval: rename test, or make a folder eval beside it."
        )
    return next((splits for splits in _SPLITS if names == set(splits)), ())


def _holds_data(folder: Path) -> bool:
    """Whether a folder is one of tables or of class folders of images, and no class itself."""
    files = matching_files(folder, FOLDER_PATTERN)
    if files:
        return any(file.suffix.lower() not in images.SUFFIXES for file in files)
    return image_folder.holds_images(folder)


def _base_and_patterns(
    path: Path, splits: tuple[str, ...]
) -> tuple[Path, tuple[tuple[str, str], ...]]:
    if not path.is_dir():
        return path.parent, ((_ALL, glob.escape(path.name)),)
    if splits:
        return path, tuple((split, f"{split}/{FOLDER_PATTERN}") for split in splits)
    if not matching_files(path, FOLDER_PATTERN) and matching_files(path, SPLIT_FOLDER_PATTERN):
        return path, ((_ALL, SPLIT_FOLDER_PATTERN),)
    return path, ((_ALL, FOLDER_PATTERN),)


def _is_image_folder(path: Path, wanted: str) -> bool:
    """Whether this is a folder of class folders of images; a table beside them is what counts."""
    if wanted == "images":
        if not path.is_dir():
            raise ConfigError(
                f"{path} (data.path) is a file. With data.format images, give a folder that holds "
                "a folder of images for each class."
            )
        return True
    if wanted != "auto" or not path.is_dir():
        return False
    tables = any(format_by_name(file) for file in matching_files(path, FOLDER_PATTERN))
    return not tables and image_folder.holds_images(path)


def _image_source(path: Path, splits: tuple[str, ...]) -> Source:
    patterns = tuple((split, f"{split}/{image_folder.PATTERN}") for split in splits)
    patterns = patterns or ((_ALL, image_folder.PATTERN),)
    files = all_files(path, (pattern for _, pattern in patterns))
    for folder in [path / split for split in splits] or [path]:
        image_folder.check(folder, [file for file in files if file.is_relative_to(folder)])
    if not files:
        raise ConfigError(
            f"The folder {path} (data.path) holds no folder of images. Give each class a folder "
            "of its own, such as photos/cat/x.jpg, and name photos."
        )
    return Source(
        format="images",
        base_dir=path,
        patterns=patterns,
        files=files,
        num_bytes=sum(file.stat().st_size for file in files),
        content_hash=content_hash(path, files),
    )

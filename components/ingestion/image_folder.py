"""A folder of class folders of images: `photos/cat/x.jpg` is an example of the class `cat`.

Each becomes a tf.Example of three columns: the image's bytes as they are in the file, the label,
and the path below the folder, which tells where a row is from and is no input.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

from components.errors import ConfigError, DataRejected
from components.ingestion import images

IMAGE, LABEL, PATH = "image", "label", "path"
PATTERN = "[!._]*/[!._]*"

# What desktops leave in folders; names that begin with a dot are hidden anyway.
JUNK = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})

_FORMATS = "PNG, JPEG, GIF or BMP"
_FILES_LOOKED_AT = 1000
_NAMES_SHOWN = 5


def holds_images(folder: Path) -> bool:
    """Whether the first files below `folder`, at any depth but the top, have an image's name."""
    entries = itertools.islice(folder.glob("[!._]*/**/*"), _FILES_LOOKED_AT)
    return any(entry.suffix.lower() in images.SUFFIXES for entry in entries)


def check(folder: Path, files: Sequence[Path]) -> None:
    """Refuses a layout in which an image would be left out or get a wrong class.

    Args:
        folder: the folder of class folders.
        files: what `PATTERN` matches in it.

    Raises:
        ConfigError: a folder is not one of class folders.
        DataRejected: a class folder is empty.
    """
    for entry in sorted(folder.iterdir()):
        if not entry.is_dir() and entry.suffix.lower() in images.SUFFIXES:
            raise ConfigError(
                f"{entry} (data.path) is in no class folder. Put each image into the folder that "
                f"is named after its class, such as {folder / 'cat' / entry.name}."
            )
    filled = {file.parent for file in files}
    for entry in sorted(folder.iterdir()):
        if not entry.is_dir() or entry.name.startswith((".", "_")):
            continue
        inner = next((path for path in sorted(entry.iterdir()) if _is_visible_folder(path)), None)
        if inner is not None:
            raise ConfigError(
                f"{inner} (data.path) is a folder inside the class folder {entry.name!r}. Class "
                "folders hold images only; if these are splits, name them train, eval "
                "and maybe test, with nothing beside them."
            )
        if entry not in filled:
            raise DataRejected(
                f"The class folder {entry} holds no image. Add images, or remove the folder."
            )
        try:
            entry.name.encode()
        except UnicodeEncodeError as error:
            raise DataRejected(
                f"The name of the class folder {entry!s:a} is not UTF-8. Rename it."
            ) from error


def _is_visible_folder(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith((".", "_"))


def class_of(file: Path) -> str:
    """The label of an image: the name of the folder it is in."""
    return file.parent.name


def name_of(file: Path) -> str:
    """The path below the folder of class folders, with `/`."""
    return f"{file.parent.name}/{file.name}"


def shuffled(files: Iterable[Path]) -> list[Path]:
    """The files in an order of their names' hashes: always the same, and all classes mixed."""
    return sorted(files, key=lambda file: hashlib.sha256(_bytes(name_of(file))).digest())


def path_value(file: Path) -> bytes:
    """The value of the column `PATH`."""
    return _bytes(name_of(file))


def collect(files: Sequence[Path]) -> images.ImageStats:
    """Looks at the images of these files.

    Raises:
        DataRejected: a file is no image.
    """
    stats, broken = images.ImageStats(), []
    for file in files:
        try:
            stats.add(images.file_header(file))
        except images.NotAnImage as error:
            broken.append((file, str(error)))
        except OSError as error:
            raise DataRejected(f"{file} cannot be read: {error.strerror}.") from error
    if broken:
        file, reason = broken[0]
        others = [name_of(other) for other, _ in broken[1:]]
        more = ", …" if len(others) > _NAMES_SHOWN else ""
        raise DataRejected(
            f"{file} is no {_FORMATS} image: {reason}. Remove it, or save it as one."
            + (
                f" The same goes for {len(others)} more: {', '.join(others[:_NAMES_SHOWN])}{more}."
                if others
                else ""
            )
        )
    return stats


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")

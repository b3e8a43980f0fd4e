"""`builtin:digits`: scikit-learn's handwritten digits as a folder of class folders of PNG files.

1,797 images of 8 x 8 pixels. Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten
Digits, UCI Machine Learning Repository, 1998; https://doi.org/10.24432/C50P49.
"""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
import zlib
from pathlib import Path

from components.errors import ConfigError

# Changes with what is written, so that an older folder is not taken for it.
_FOLDER = "digits-1"
_LEVELS = 16  # scikit-learn's values are 0 to 16


def digits_folder() -> Path:
    """The folder, made at the first call in the user's cache folder; nothing is downloaded.

    Raises:
        ConfigError: scikit-learn is missing, or the cache folder cannot be written.
    """
    folder = _cache_folder() / _FOLDER
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{_FOLDER}-", dir=folder.parent))
        try:
            _write(partial)
            partial.chmod(0o755)
            _publish(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise ConfigError(
            f"builtin:digits cannot be written to {folder}: {error.strerror}. Make the folder "
            "writable, or name another one in the variable XDG_CACHE_HOME."
        ) from error
    return folder


def _cache_folder() -> Path:
    """The XDG base directory for caches; a relative one does not count."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".cache") / "waybill"


def _publish(partial: Path, folder: Path) -> None:
    """Gives the folder its name, unless another process was first."""
    try:
        partial.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def _write(folder: Path) -> None:
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ConfigError(
            "builtin:digits comes with the package scikit-learn, which is not installed."
        ) from error
    found = datasets.load_digits()
    for index, (image, digit) in enumerate(zip(found.images, found.target, strict=True)):
        file = folder / str(digit) / f"{index:04d}.png"
        file.parent.mkdir(exist_ok=True)
        rows = [bytes(round(value * 255 / _LEVELS) for value in row) for row in image]
        file.write_bytes(gray_png(rows))


def gray_png(rows: list[bytes]) -> bytes:
    """Encodes a gray image of one byte a pixel as PNG. Source: https://www.w3.org/TR/png-3.

    Args:
        rows: the pixels, row by row.
    """

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    size = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )

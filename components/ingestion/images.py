"""Tells an image by its first bytes: the format, the size, and whether it is gray.

Decodes nothing and needs no library, so that many files are looked at in a moment. Sources:
https://www.w3.org/TR/png-3, https://www.w3.org/Graphics/JPEG/itu-t81.pdf,
https://www.w3.org/Graphics/GIF/spec-gif89a.txt, and Microsoft's BITMAPFILEHEADER.
"""

from __future__ import annotations

import dataclasses
import io
import struct
from pathlib import Path
from typing import IO

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp")

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_GIFS = (b"GIF87a", b"GIF89a")
_BMP = b"BM"
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)
_HEAD_BYTES = 32
# Color types of PNG and bits per pixel of BMP that have no color.
_PNG_GRAY = (0, 4)
_BMP_GRAY_BITS = 8
# Start-of-frame markers of JPEG: all of C0 to CF but the tables and the extension.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_FOREIGN = {b"II*\0": "TIFF", b"MM\0*": "TIFF", b"%PDF": "PDF", b"\0\0\1\0": "ICO"}


class NotAnImage(ValueError):
    """The bytes are no PNG, JPEG, GIF or BMP; says why."""


@dataclasses.dataclass(frozen=True)
class Header:
    """What the first bytes of an image say: its format, its size in pixels, whether it is gray."""

    format: str
    height: int
    width: int
    gray: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageProfile:
    """What is known of the images of a column.

    Attributes:
        num_images: how many were looked at.
        heights: the smallest and the largest, in pixels.
        widths: the same.
        gray: whether none has color.
        problem: where and why the first value that is no image is none; None if all are images.
    """

    num_images: int
    heights: tuple[int, int]
    widths: tuple[int, int]
    gray: bool
    problem: str | None = None


class ImageStats:
    """Collects the images of a column; `add` takes one header, `profile` gives the result."""

    def __init__(self) -> None:
        self._num_images = 0
        self._smallest = self._largest = (0, 0)
        self._gray = True
        self._problem: str | None = None

    def add(self, header: Header) -> None:
        """Adds one image."""
        size = header.height, header.width
        if not self._num_images:
            self._smallest = self._largest = size
        self._smallest = min(self._smallest[0], size[0]), min(self._smallest[1], size[1])
        self._largest = max(self._largest[0], size[0]), max(self._largest[1], size[1])
        self._gray &= header.gray
        self._num_images += 1

    def reject(self, where: str, reason: str) -> None:
        """Notes a value that is no image; the first one is kept."""
        self._problem = self._problem or f"{where}: {reason}"

    def profile(self) -> ImageProfile:
        """What was seen so far; at least one image was."""
        return ImageProfile(
            num_images=self._num_images,
            heights=(self._smallest[0], self._largest[0]),
            widths=(self._smallest[1], self._largest[1]),
            gray=self._gray,
            problem=self._problem,
        )


def looks_like(value: bytes) -> bool:
    """Whether the bytes begin as an image does."""
    return value.startswith((_PNG, _JPEG, *_GIFS)) or _is_bmp(value[:_HEAD_BYTES])


def file_header(file: Path) -> Header:
    """The header of an image file. Raises NotAnImage; OSError if the file cannot be read."""
    with file.open("rb") as handle:
        return _read(handle)


def header(value: bytes) -> Header:
    """The header of an image in memory. Raises NotAnImage."""
    return _read(io.BytesIO(value))


def _read(handle: IO[bytes]) -> Header:
    head = handle.read(_HEAD_BYTES)
    if not head:
        raise NotAnImage("it is empty")
    try:
        found = _parse(head, handle)
    except struct.error as error:
        raise NotAnImage("it ends within its header, so it is truncated") from error
    if not (found.height and found.width):
        raise NotAnImage(f"its header says {found.height} x {found.width} pixels")
    return found


def _parse(head: bytes, handle: IO[bytes]) -> Header:
    if head.startswith(_PNG):
        width, height, _, color = struct.unpack_from(">IIBB", head, 16)
        return Header("PNG", height, width, color in _PNG_GRAY)
    if head.startswith(_JPEG):
        return _jpeg(handle)
    if head.startswith(_GIFS):
        width, height = struct.unpack_from("<HH", head, 6)
        return Header("GIF", height, width, gray=False)
    if _is_bmp(head):
        return _bmp(head)
    for magic, name in _FOREIGN.items():
        if head.startswith(magic):
            raise NotAnImage(f"it looks like {name}")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        raise NotAnImage("it looks like WebP")
    if head[4:8] == b"ftyp":
        raise NotAnImage("it looks like HEIC, AVIF or a video")
    raise NotAnImage(f"it starts with {head[:12]!r}")


def _is_bmp(head: bytes) -> bool:
    """More than the two letters, which many a text begins with."""
    if not head.startswith(_BMP) or len(head) < 18:
        return False
    return struct.unpack_from("<I", head, 14)[0] in _BMP_HEADERS


def _bmp(head: bytes) -> Header:
    (size,) = struct.unpack_from("<I", head, 14)
    layout = "<HHHH" if size == 12 else "<iiHH"
    width, height, _, bits = struct.unpack_from(layout, head, 18)
    return Header("BMP", abs(height), abs(width), bits == _BMP_GRAY_BITS)


def _jpeg(handle: IO[bytes]) -> Header:
    """Walks over the segments up to the frame, which has the size; thumbnails are within some."""
    handle.seek(2)
    while True:
        lead, marker = struct.unpack(">BB", handle.read(2))
        while marker == 0xFF:
            (marker,) = struct.unpack(">B", handle.read(1))
        if lead != 0xFF:
            raise NotAnImage("it is a JPEG with a broken header")
        if marker in _JPEG_WITHOUT_LENGTH:
            continue
        (length,) = struct.unpack(">H", handle.read(2))
        if marker in _JPEG_FRAMES:
            _, height, width, components = struct.unpack(">BHHB", handle.read(6))
            return Header("JPEG", height, width, components == 1)
        handle.seek(length - 2, io.SEEK_CUR)

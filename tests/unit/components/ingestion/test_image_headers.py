from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from components.ingestion import images
from tests.unit.components.ingestion.pictures import picture


@pytest.mark.parametrize(
    ("encoding", "mode", "gray"),
    [
        ("png", "L", True),
        ("png", "LA", True),
        ("png", "RGB", False),
        ("png", "RGBA", False),
        ("png", "P", False),
        ("jpeg", "L", True),
        ("jpeg", "RGB", False),
        ("jpeg", "CMYK", False),
        ("gif", "P", False),
        ("bmp", "L", True),
        ("bmp", "RGB", False),
    ],
)
def test_reads_format_size_and_color(encoding: str, mode: str, gray: bool) -> None:
    content = picture(encoding, mode=mode, size=(11, 300))
    assert images.looks_like(content)
    assert images.header(content) == images.Header(encoding.upper(), 11, 300, gray)


def test_the_size_of_a_photo_is_not_that_of_its_thumbnail() -> None:
    thumbnail = picture("jpeg", size=(16, 16))
    segment = b"Exif\0\0" + thumbnail
    plain = picture("jpeg", size=(64, 48))
    content = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + plain[2:]
    assert Image.open(io.BytesIO(content)).size == (48, 64)
    found = images.header(content)
    assert (found.height, found.width) == (64, 48)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"hello world", "it starts with b'hello world'"),
        (b"BMW 320 diesel, one owner, as new", "it starts with b'BMW 320 dies'"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "it looks like WebP"),
        (b"II*\0\x08\0\0\0", "it looks like TIFF"),
        (b"\0\0\0\x18ftypheic", "it looks like HEIC"),
        (picture("png")[:20], "truncated"),
        (picture("jpeg")[:30], "truncated"),
        (picture("gif")[:7], "truncated"),
        (b"\xff\xd8\xff\xe0\0\x04ab" + b"cd" * 9, "broken header"),
        (b"GIF89a\0\0\0\0", "its header says 0 x 0 pixels"),
    ],
)
def test_says_why_bytes_are_no_image(content: bytes, reason: str) -> None:
    with pytest.raises(images.NotAnImage, match=reason):
        images.header(content)


def test_text_is_not_taken_for_an_image() -> None:
    assert not images.looks_like(b"BMW 320 diesel, one owner, as new")
    assert not images.looks_like(b"BM")

"""Makes real images of every format."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image


def picture(
    encoding: str = "png",
    *,
    seed: int = 0,
    size: tuple[int, int] = (6, 4),
    mode: str = "RGB",
) -> bytes:
    """Random pixels of `size` (height, width), encoded."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(content, encoding)
    return content.getvalue()


def write_folders(
    root: Path, *, count: int = 15, classes: tuple[str, ...] = ("cat", "dog")
) -> Path:
    """A folder of class folders, each with `count` PNG images of 6 x 4 pixels."""
    for index, name in enumerate(classes):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            content = picture(seed=1000 * index + number)
            (root / name / f"{number:02d}.png").write_bytes(content)
    return root

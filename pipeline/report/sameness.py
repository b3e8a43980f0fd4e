"""Tells whether a page would be the same again: it holds a hash of what it was made of."""

from __future__ import annotations

import hashlib
from pathlib import Path

_HEAD_BYTES = 1_000


def digest(*parts: str) -> str:
    """A hash of what a page shows, and of the code that draws it."""
    found = hashlib.sha256("\0".join(parts).encode())
    for file in sorted(Path(__file__).parent.rglob("*")):
        if file.suffix in (".py", ".html", ".css", ".js"):
            found.update(file.read_bytes())
    return found.hexdigest()


def is_made_of(page: Path, made_of: str) -> bool:
    """Whether a page is there, and was made of that."""
    if not page.is_file():
        return False
    with page.open("rb") as file:
        return made_of.encode() in file.read(_HEAD_BYTES)

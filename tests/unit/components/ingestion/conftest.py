"""Makes CSV files and sources out of text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from components.ingestion.settings import DataSettings
from components.ingestion.sources import Source, resolve

WriteCsv = Callable[..., Path]
MakeSource = Callable[..., Source]


@pytest.fixture
def write_csv(tmp_path: Path) -> WriteCsv:
    """Writes text or bytes to a file of a fresh folder and returns its path."""

    def write(content: str | bytes, name: str = "data/trips.csv") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def make_source(write_csv: WriteCsv) -> MakeSource:
    """Resolves a one-file source with this content."""

    def make(content: str | bytes, name: str = "data/trips.csv", delimiter: str = ",") -> Source:
        return resolve(DataSettings(path=str(write_csv(content, name)), delimiter=delimiter))

    return make

"""A model folder, and pushes of it, for tests of labels."""

from __future__ import annotations

from pathlib import Path

from serving import changes
from serving.labels import STABLE
from serving.shelves import Shelf


def write_model(folder: Path) -> Path:
    """Something that looks like a SavedModel."""
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_text("graph")
    (folder / "variables" / "variables.index").write_text("index")
    (folder / "empty").write_text("")
    return folder


def push(
    shelf: Shelf, model: Path, key: str, /, *, label: str | None = STABLE, **properties: str
) -> int:
    """What the Pusher does; returns the version."""
    version = shelf.publish(model, key=key, properties=properties, extras={})
    changes.announce(shelf, version.number, label=label)
    return version.number

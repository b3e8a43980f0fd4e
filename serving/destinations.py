"""Finds the shelf of a model from a place as text: a folder, or a URL."""

from __future__ import annotations

from pathlib import Path

from serving.shelves import LocalShelf, Shelf


def is_url(place: str) -> bool:
    """Whether a place is a URL, and so no folder of this machine."""
    return "://" in place


def open_shelf(place: str) -> Shelf:
    """The shelf of a model.

    Args:
        place: the folder or URL of its versions.
    """
    if is_url(place):
        from serving.remote import RemoteShelf

        return RemoteShelf(place)
    return LocalShelf(Path(place))

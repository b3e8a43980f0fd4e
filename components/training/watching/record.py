"""What stays of a training beside its model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from components.training.files import write_atomically
from components.training.history import History
from components.training.watching.page import training_page


def write_record(
    directory: Path,
    history: History,
    pictures: Mapping[str, bytes],
    *,
    title: str,
    metrics: Mapping[str, float],
    settings: Mapping[str, object],
    placement: Mapping[str, object],
) -> None:
    """Writes `history.json`, the pictures as PNG files, and `training.html` with all of it.

    Args:
        directory: where; made if necessary.
        history: of the training.
        pictures: PNG by name.
        title: of the page.
        metrics: of the final model on the eval split.
        settings: by name.
        placement: where and how the steps ran, by name.
    """
    directory.mkdir(parents=True, exist_ok=True)
    history.write(directory / "history.json")
    for name, png in pictures.items():
        write_atomically(directory / f"{name}.png", png)
    page = training_page(
        history, pictures, title=title, metrics=metrics, settings=settings, placement=placement
    )
    write_atomically(directory / "training.html", page.encode())

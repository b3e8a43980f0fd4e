"""Which model and which version a command line means."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from serving import labels, versions
from serving.destinations import is_url, open_shelf
from serving.errors import NotFound
from serving.shelves import Shelf

_NUMBER = re.compile(r"v?([0-9]+)")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def choose_shelf(serving: str, model: str | None) -> Shelf:
    """The shelf of a model, which need not be named where it is the only one.

    Args:
        serving: the folder or URL of all models.
        model: its name, if it was given.

    Raises:
        NotFound: there is no such folder or model, or there are several.
    """
    if model is not None and not _NAME.fullmatch(model):
        raise NotFound(f"{model!r} is no name of a model: it is the name of a folder.")
    if is_url(serving):
        if model is None:
            raise NotFound(f"Name the model in {serving} with --model.")
        return open_shelf(f"{serving.rstrip('/')}/{model}")
    folder = Path(serving)
    if not folder.is_dir():
        raise NotFound(
            f"There is no folder {folder}. Name the folder of the models with --serving; a run "
            "of the pipeline makes it with its first push."
        )
    known = _models(folder)
    if model is None:
        if len(known) != 1:
            raise NotFound(
                f"{folder} holds {'several models' if known else 'no model'}: "
                f"{', '.join(known) or 'push one'}. Name one with --model."
            )
        model = known[0]
    elif model not in known:
        raise NotFound(
            f"{folder} holds no model {model!r}. Models: {', '.join(known) or 'none'}."
            f"{nearest(model, known)}"
        )
    return open_shelf(str(folder.absolute() / model))


def choose_version(text: str, shelf: Shelf, labelled: Mapping[str, int]) -> int:
    """The number of a version that was named by its number or by a label.

    Raises:
        NotFound: it is neither.
    """
    if text in labelled:
        return labelled[text]
    match = _NUMBER.fullmatch(text)
    if match is None:
        known = ", ".join(labelled) or "none"
        raise NotFound(
            f"{text!r} is neither a version's number nor a label of {shelf.model}. "
            f"Labels: {known}.{nearest(text, labelled)}"
        )
    number = int(match[1])
    if number not in shelf.numbers():
        known = ", ".join(map(str, shelf.numbers())) or "none"
        raise NotFound(f"{shelf.model} has no version {number}. Versions: {known}.")
    return number


def nearest(name: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?` for the closest known name, or nothing."""
    match = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {match[0]!r}?" if match else ""


def _models(folder: Path) -> list[str]:
    """The models that have versions in the folder, or are named for it in `models.config`."""
    found = {path.name for path in folder.iterdir() if path.is_dir() and versions.numbers(path)}
    named = labels.read_config(labels.config_of(folder / "any"))
    found |= {name for name in named if (folder / name).is_dir()}
    return sorted(found)

"""What `python -m serving.models` does: each verb takes the flags and returns an exit code."""

from __future__ import annotations

import argparse
import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from serving import changes, history, model_config
from serving.changes import Wait
from serving.destinations import is_url
from serving.errors import LabelError
from serving.history import LABEL, PROMOTE, Change
from serving.manifests import Manifest
from serving.models import views
from serving.models.choice import choose_shelf, choose_version
from serving.models.views import Row
from serving.shelves import Shelf

PROBLEMS_FOUND = 3


def list_versions(args: argparse.Namespace) -> int:
    """Lists the versions with their labels, metrics, and what made them."""
    shelf = choose_shelf(args.serving, args.model)
    labelled, rows = _rows(shelf)
    if args.json:
        document = {
            "model": shelf.model,
            "location": shelf.location,
            "labels": labelled,
            "versions": [views.row_as_json(row) for row in rows],
        }
        views.print_json(document)
    else:
        views.print_text(f"{shelf.model} in {shelf.location}")
        views.print_versions(rows)
    return 0


def show(args: argparse.Namespace) -> int:
    """Shows one version in full, or the labels and their history."""
    shelf = choose_shelf(args.serving, args.model)
    labelled, rows = _rows(shelf)
    told = history.parse(shelf.read_history(), origin=shelf.history_location)
    if args.version is None:
        if args.json:
            all_told = [dataclasses.asdict(change) for change in told]
            views.print_json({"model": shelf.model, "labels": labelled, "changes": all_told})
        else:
            views.print_labels(labelled)
            views.print_changes(told)
        return 0
    number = choose_version(args.version, shelf, labelled)
    [row] = [row for row in rows if row.number == number]
    told = tuple(item for item in told if number in (item.from_version, item.to_version))
    if args.json:
        document = views.row_as_json(row)
        if isinstance(row.manifest, Manifest):
            document["files"] = [dataclasses.asdict(file) for file in row.manifest.files]
        views.print_json({**document, "changes": [dataclasses.asdict(item) for item in told]})
    else:
        views.print_version(row, told)
    return 0


def promote(args: argparse.Namespace) -> int:
    """Points `stable` to a version whose files are as published."""
    return _set(args, action=PROMOTE)


def label(args: argparse.Namespace) -> int:
    """Points a label to a version whose files are as published."""
    return _set(args, action=LABEL)


def rollback(args: argparse.Namespace) -> int:
    """Puts `stable` back on the version that it pointed to before."""
    shelf = choose_shelf(args.serving, args.model)
    change = changes.roll_back(shelf, args.label, reason=args.reason, wait=_wait(args, shelf))
    code = _tell(args, shelf, change)
    _unload(args, shelf, change)
    return code


def unlabel(args: argparse.Namespace) -> int:
    """Takes a label away; the version stays."""
    shelf = choose_shelf(args.serving, args.model)
    return _tell(args, shelf, changes.take_label(shelf, args.label, reason=args.reason))


def prune(args: argparse.Namespace) -> int:
    """Removes old versions, but none that is labelled or can be rolled back to."""
    shelf = choose_shelf(args.serving, args.model)
    gone = changes.prune(shelf, keep=args.keep, dry_run=args.dry_run)
    if args.json:
        views.print_json({"model": shelf.model, "removed": gone, "dry_run": args.dry_run})
    else:
        names = ", ".join(map(str, gone)) or "nothing"
        views.print_text(f"{'would remove' if args.dry_run else 'removed'} {names}")
    return 0


def verify(args: argparse.Namespace) -> int:
    """Reads every file of the versions again and compares it with their manifests."""
    shelf = choose_shelf(args.serving, args.model)
    numbers = shelf.numbers()
    if args.version is not None:
        numbers = [choose_version(args.version, shelf, _labels(shelf)[0])]
    found = {number: shelf.problems(number) for number in numbers}
    if args.json:
        views.print_json({"model": shelf.model, "problems": found})
    else:
        for number, problems in found.items():
            views.print_text(f"version {number}: {'as published' if not problems else ''}")
            for problem in problems:
                views.print_text(f"  {problem}")
    return PROBLEMS_FOUND if any(found.values()) else 0


def _set(args: argparse.Namespace, *, action: str) -> int:
    shelf = choose_shelf(args.serving, args.model)
    number = choose_version(args.version, shelf, _labels(shelf)[0])
    change = changes.set_label(
        shelf, args.label, number, action=action, reason=args.reason, wait=_wait(args, shelf)
    )
    if change is None and not args.json:
        views.print_text(f"{args.label} of {shelf.model} is version {number} already")
        return 0
    return _tell(args, shelf, change)


def _tell(args: argparse.Namespace, shelf: Shelf, change: Change | None) -> int:
    """Says what was changed, and then has it recorded: the change itself must not wait for that."""
    if change is not None and not args.json:
        was = "nothing" if change.from_version is None else f"version {change.from_version}"
        now = "nothing" if change.to_version is None else f"version {change.to_version}"
        views.print_text(f"{change.label} of {shelf.model}: {was} → {now}")
    execution, warning = _recorded(args, shelf, change) if change is not None else (None, None)
    if warning:
        views.warn("warning", warning)
    if args.json:
        told = dataclasses.asdict(change) if change is not None else None
        views.print_json({"change": told, "recorded": execution, "warning": warning})
    return 0


def _recorded(
    args: argparse.Namespace, shelf: Shelf, change: Change
) -> tuple[int | None, str | None]:
    """The execution that was written into ML Metadata, or why there is none."""
    from serving import record

    about = change.to_version if change.to_version is not None else change.from_version
    version = next((item for item in shelf.manifests() if item.number == about), None)
    named = version.properties.get(record.STORE) if version is not None else None
    store = args.metadata or _nearby(shelf, named) or named
    if store is None:
        return None, (
            f"The change is not in ML Metadata: the manifest of version {about} names no store. "
            "Name it with --metadata."
        )
    pushed = version if change.to_version is not None else None
    try:
        return record.record(change, store=store, pushed=pushed), None
    except record.RecordError as error:
        return None, str(error)


def _nearby(shelf: Shelf, named: str | None) -> str | None:
    """The store that lies beside the models, as in the root of a run: a copied root has its own."""
    if named is None or is_url(named) or is_url(shelf.location):
        return None
    beside = Path(shelf.location).parent.with_name(Path(named).name)
    return str(beside) if beside.is_file() else None


def _unload(args: argparse.Namespace, shelf: Shelf, change: Change) -> None:
    """Has the version that was left unloaded, once the server sends no more requests there."""
    assert change.to_version is not None
    if args.server is None:
        views.warn(
            "note",
            f"Version {change.from_version} stays loaded until the next change, and a request that "
            "names neither a version nor a label gets the newest version that is loaded. With "
            "--server it is unloaded once the server has moved the label.",
        )
        return
    from serving import availability

    try:
        availability.wait_until_available(
            args.server,
            shelf.model,
            change.to_version,
            label=change.label,
            token_file=Path(args.token_file) if args.token_file else None,
            timeout_s=args.timeout,
        )
        changes.unload(shelf)
    except LabelError as error:
        views.warn("warning", f"{error} So version {change.from_version} stays loaded.")


def _wait(args: argparse.Namespace, shelf: Shelf) -> Wait | None:
    if args.server is None:
        return None
    from serving import availability

    return functools.partial(
        availability.wait_until_available,
        args.server,
        shelf.model,
        token_file=Path(args.token_file) if args.token_file else None,
        timeout_s=args.timeout,
    )


def _labels(shelf: Shelf) -> tuple[dict[str, int], tuple[int, ...]]:
    """The labels of the model, and what a server loads."""
    config = model_config.parse(shelf.read_config(), origin=shelf.config_location)
    entry = model_config.find(config, shelf.model)
    return model_config.labels_of(entry), model_config.versions_of(entry)


def _rows(shelf: Shelf) -> tuple[dict[str, int], list[Row]]:
    labelled, loaded = _labels(shelf)
    manifests: dict[int, Any] = {item.number: item for item in shelf.manifests()}
    rows = [
        Row(
            number=number,
            path=shelf.path_of(number),
            manifest=manifests.get(number) or "it was not published by this tool",
            labels=tuple(name for name, target in labelled.items() if target == number),
            is_loaded=number in loaded,
        )
        for number in shelf.numbers()
    ]
    return labelled, rows


Verb = Callable[[argparse.Namespace], int]
VERBS: dict[str, Verb] = {
    "list": list_versions,
    "show": show,
    "promote": promote,
    "rollback": rollback,
    "label": label,
    "unlabel": unlabel,
    "prune": prune,
    "verify": verify,
}

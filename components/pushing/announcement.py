"""Tells servers of a version that was just published: its label, and which versions go."""

from __future__ import annotations

import functools
from pathlib import Path

from absl import logging

from components.pushing.settings import PushSettings
from serving import availability, changes, record
from serving.errors import LabelError, PublishError
from serving.manifests import Manifest
from serving.shelves import Shelf


def announce(
    shelf: Shelf, version: Manifest, settings: PushSettings, *, store: str | None
) -> str | None:
    """Names the version in `models.config`, moves the label to it, and removes old versions.

    Args:
        shelf: where the version was published.
        version: which.
        settings: the label, the server to wait for, and how many versions stay.
        store: the metadata store that notes the change, if there is one.

    Returns:
        The label, if it was moved: a push that is repeated leaves it where a person has put it.

    Raises:
        LabelError: `models.config` or the server refuses; the version is published.
    """
    wait = None
    if settings.server is not None:
        token_file = settings.server_token_file
        wait = functools.partial(
            availability.wait_until_available,
            settings.server,
            shelf.model,
            token_file=Path(token_file) if token_file else None,
            timeout_s=settings.server_timeout_s,
        )
    change = changes.announce(shelf, version.number, label=settings.label, wait=wait)
    try:
        gone = changes.prune(shelf, keep=settings.keep)
        logging.info("Removed versions %s; push.keep is %d.", gone or "none", settings.keep)
    except (LabelError, PublishError) as error:  # the new version is live, and that counts
        logging.warning("%s", error)
    if change is None:
        logging.info("No label was moved: there is none to move, or a person has moved it since.")
        return None
    logging.info("'%s' moved from %s to %s.", change.label, change.from_version, change.to_version)
    if store is not None:
        try:
            record.record(change, store=store, pushed=version)
        except record.RecordError as error:
            logging.warning("%s", error)
    return change.label

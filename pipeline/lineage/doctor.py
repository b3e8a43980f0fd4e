"""Compares the store with the disk and with what is served: what is left over, lost or changed."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from pipeline.lineage import checksums, disk, naming
from pipeline.lineage import served as serving_folder
from pipeline.lineage.models import UNFINISHED_STATES, Artifact, Execution
from pipeline.lineage.reader import Reader
from pipeline.lineage.served import Served
from pipeline.recording import names
from serving import versions

Severity = Literal["error", "warning", "note"]
_HOUR_MS = 3_600_000
_BATCH = 256
_WORKERS = 4


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        severity: `error` and `warning` ask for something to be done, a `note` does not.
        kind: a word for programs: `unfinished`, `gone`, `changed`, `unreadable`, `unknown files`,
            `no lineage`, `no version`, `damaged version`.
        subject: what it is about, as other commands take it, or a path.
        message: what is wrong and what to do, in a sentence or two.
    """

    severity: Severity
    kind: str
    subject: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is looked at.

    Attributes:
        serving: the serving folder.
        root: what the pipeline holds locked while it runs is `.lock` in it; None where unknown.
        is_quick: leaves the contents of files unread.
        stale_hours: an execution that began longer ago and has not ended counts as left, where no
            lock can tell.
    """

    serving: Path
    root: Path | None = None
    is_quick: bool = False
    stale_hours: float = 24.0


def examine(reader: Reader, settings: Settings) -> Iterator[Finding]:
    """All findings, as they are found; memory does not grow with the contents of files."""
    yield from _unfinished(reader, settings)
    known: set[Path] = set()
    roots: set[Path] = set()
    artifacts = reader.newest_artifacts()
    while batch := list(islice(artifacts, _BATCH)):
        roots |= disk.pipeline_roots(batch)
        paths = [checksums.local_path(artifact.uri) for artifact in batch]
        known |= {path for path in paths if path is not None}
        yield from _contents(batch, settings)
    at_work = _is_locked(settings.root)
    for folder in disk.unknown_folders(roots, known):
        yield Finding(
            severity="note" if at_work else "warning",
            kind="unknown files",
            subject=str(folder),
            message="No artifact is recorded at this folder: a run may be writing it."
            if at_work
            else "No artifact is recorded at this folder; an execution that did not end may have "
            "left it. It can be removed.",
        )
    for base in serving_folder.models(settings.serving):
        yield from _served(reader, serving_folder.read(settings.serving, base.name), base)


def _unfinished(reader: Reader, settings: Settings) -> Iterator[Finding]:
    found = [item for item in reader.newest_executions() if item.state in UNFINISHED_STATES]
    if not found:
        return
    locked = _is_locked(settings.root)
    for execution in reader.placed(found).values():
        hours = (time.time() * 1000 - execution.started_ms) / _HOUR_MS
        is_left = not locked if locked is not None else hours > settings.stale_hours
        run = f" of run {execution.run}" if execution.run else ""
        yield Finding(
            severity="error" if is_left else "note",
            kind="unfinished",
            subject=f"execution:{execution.id}",
            message=f"{execution.node}{run} is {execution.state} since {_ago(execution)}"
            + (
                ", and nothing works on it. The next run of the pipeline closes it."
                if is_left
                else "; it may be at work."
            ),
        )


def _ago(execution: Execution) -> str:
    minutes = max(0.0, time.time() - execution.started_ms / 1000) / 60
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.0f} hours"


def _is_locked(root: Path | None) -> bool | None:
    """Whether a run is at work; None where that cannot be told.

    The lock is asked for together with others and let go at once: who asks for it alone in the same
    microseconds would be refused.
    """
    if root is None or not (root / ".lock").is_file():
        return None
    try:
        with (root / ".lock").open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False


def _contents(batch: list[Artifact], settings: Settings) -> Iterator[Finding]:
    # Hashing and reading leave the interpreter to other threads.
    with ThreadPoolExecutor(_WORKERS) as pool:
        for finding in pool.map(lambda item: _content(item, settings.is_quick), batch):
            if finding is not None:
                yield finding


def _content(artifact: Artifact, is_quick: bool) -> Finding | None:
    path = checksums.local_path(artifact.uri)
    if not artifact.live or path is None:
        return None

    def finding(kind: str, message: str) -> Finding:
        subject = f"artifact:{artifact.id}"
        return Finding(severity="error", kind=kind, subject=subject, message=message)

    what = f"{artifact.type} at {path}"
    try:
        if not path.exists():
            return finding("gone", f"The {what} is gone. What needs it will be made again.")
        recorded = artifact.text(names.SHA256)
        if is_quick or not recorded:
            return None
        found = checksums.read_contents(path)
    except OSError as error:
        return finding("unreadable", f"The {what} cannot be read: {error.strerror or error}.")
    if found.sha256 == recorded:
        return None
    return finding(
        "changed",
        f"The {what} was changed after it was written: {found.num_files} files with "
        f"{found.num_bytes:,} bytes, recorded were {artifact.text(names.FILES)} with "
        f"{int(artifact.properties.get(names.BYTES, 0)):,}. Remove the folder to have it made "
        "again.",
    )


def _served(reader: Reader, served: Served, base: Path) -> Iterator[Finding]:
    yield from _damaged(served, base)
    for number, version in served.versions.items():
        if naming.pushed_model(reader, version) is None:
            labels = ", ".join(served.labels_of(number))
            yield Finding(
                severity="error" if labels else "warning",
                kind="no lineage",
                subject=str(version.path),
                message=f"Version {number} of {served.model}"
                + (f", labelled {labels}," if labels else "")
                + " is there to be served, but this store does not know how it was made. Was it "
                "pushed with another store?",
            )


def _damaged(served: Served, base: Path) -> Iterator[Finding]:
    """What is wrong with the files of what a server serves: what has a label, else the newest."""
    for label, number in served.labels.items():
        if number not in served.versions:
            yield Finding(
                severity="error",
                kind="no version",
                subject=f"label:{label}",
                message=f"Label {label!r} of {served.model} points to version {number}, which has "
                f"no folder with a manifest in {base}. Point it to another version.",
            )
    wanted = set(served.labels.values()) & served.versions.keys()
    if not served.labels and served.versions:
        wanted = {max(served.versions)}
    for number in sorted(wanted):
        for problem in versions.verify(served.versions[number]):
            yield Finding(
                severity="error",
                kind="damaged version",
                subject=str(served.versions[number].path),
                message=f"{problem} Publish the model again, or move the label.",
            )
    for folder, problems in _unpublished(base, served):
        yield Finding(severity="warning", kind="no lineage", subject=folder, message=problems)


def _unpublished(base: Path, served: Served) -> Iterator[tuple[str, str]]:
    """Folders that a server takes for versions and that have no manifest."""
    for folder in sorted(base.iterdir()):
        number = folder.name
        if not (number.isascii() and number.isdecimal() and folder.is_dir()):
            continue
        if int(number) not in served.versions:
            yield (
                str(folder),
                (
                    "A server takes this folder for a version, but it has no readable manifest: it "
                    "was not published by this pipeline. Remove it, or publish the model again."
                ),
            )

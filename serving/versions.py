"""Publishes models where a server finds them: `<base>/<version>/saved_model.pb`.

`base` is the folder of one model, the `base_path` of TF Serving. A version is copied into a
hidden sibling, synced to the disk, and appears by one rename with its manifest inside; TF Serving
ignores names that are not numbers. Beside the versions lie

    .lock            held while publishing and removing
    .last_version    the highest number ever given, so that none is given twice
    .tmp-<name>      a copy being made, or a version being removed; what a killed process left is
                     removed by the next one
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from serving import contents, manifests
from serving.contents import MANIFEST, FileRecord
from serving.errors import PublishError
from serving.locks import held
from serving.manifests import Manifest

SAVED_MODEL = "saved_model.pb"
LOCK = ".lock"
LAST_VERSION = ".last_version"
TEMPORARY = ".tmp-"
LOCK_TIMEOUT_S = 600.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Version(Manifest):
    """One published version, as its manifest describes it; `path` is its folder."""

    path: Path

    @property
    def manifest(self) -> Path:
        """The file inside the version that describes it."""
        return self.path / MANIFEST


def publish(
    model_dir: Path,
    base: Path,
    *,
    key: str,
    properties: Mapping[str, str],
    extras: Mapping[str, Path] | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
) -> Version:
    """Publishes a copy of `model_dir` as a new version, unless `key` was published before.

    Args:
        model_dir: the folder that holds `saved_model.pb`.
        base: the folder of the model; made if it does not exist.
        key: names this push; an intact version with the same key is returned instead.
        properties: what to note about the model's origin.
        extras: more files to ship, by their path in the version.
        lock_timeout_s: how long to wait for another publisher, in seconds.

    Raises:
        PublishError: it is no SavedModel, another publisher does not finish, or the file system
            refuses; a reader sees either all of the new version or nothing.
    """
    require_model(model_dir)
    try:
        base.mkdir(parents=True, exist_ok=True)
        with locked(base, timeout_s=lock_timeout_s):
            _remove_leftovers(base)
            published = _intact_with_key(base, key)
            return published or _publish_new(
                contents.sources(model_dir, extras or {}), base, key=key, properties=properties
            )
    except OSError as error:
        where = f" at {error.filename}" if error.filename else ""
        raise PublishError(
            f"Cannot publish {model_dir} to {base}: {error.strerror or error}{where}. Nothing "
            "half-written is left. Free the space or grant the right, and run it again."
        ) from error


def require_model(folder: Path) -> None:
    """Raises a PublishError if `folder` is no SavedModel."""
    if not (folder / SAVED_MODEL).is_file():
        raise PublishError(f"{folder} holds no {SAVED_MODEL}, so it is not a SavedModel.")


@contextlib.contextmanager
def locked(base: Path, *, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """Keeps others from publishing and removing versions of the model.

    Raises:
        PublishError: another process does not let go.
    """
    with held(base / LOCK, timeout_s=timeout_s, error=PublishError):
        yield


def remove(base: Path, numbers: Sequence[int]) -> None:
    """Removes versions; each disappears by one rename. The caller holds `locked`.

    Raises:
        PublishError: the file system refuses.
    """
    try:
        for number in numbers:
            (base / str(number)).rename(base / f"{TEMPORARY}removed-{number}")
        contents.sync_folder(base)
        _remove_leftovers(base)
    except OSError as error:
        raise PublishError(
            f"Cannot remove a version of {base}: {error.strerror or error} at {error.filename}. "
            "Grant the right, and run it again."
        ) from error


def versions(base: Path) -> list[Version]:
    """The published versions of one model by number; empty if none was ever published.

    Folders without a readable manifest were not published here; `audit` reports them.
    """
    found = (_read(folder) for folder in _folders(base))
    return sorted(
        (version for version in found if isinstance(version, Version)), key=lambda v: v.number
    )


def verify(version: Version) -> list[str]:
    """Reads every file of a version again and compares it with the manifest.

    Returns:
        One sentence for each problem; empty if the version is what was published.
    """
    if not version.path.is_dir():
        return [f"Version {version.number} is gone: {version.path} does not exist."]
    return manifests.differences(
        version,
        contents.describe(version.path),
        where=str(version.path),
        name=version.path.name,
    )


def numbers(base: Path) -> list[int]:
    """Every number that a server would take for a version of the model, whoever wrote it."""
    return [int(folder.name) for folder in _folders(base)]


def audit(base: Path, *, only: int | None = None) -> dict[str, list[str]]:
    """The problems of what a server would take for a version, by the folder's name.

    Args:
        base: the folder of the model.
        only: looks at this version alone.
    """
    reports = {}
    for folder in _folders(base):
        if only is None or folder.name == str(only):
            version = _read(folder)
            reports[folder.name] = verify(version) if isinstance(version, Version) else [version]
    return reports


def _publish_new(
    files: Mapping[str, Path], base: Path, *, key: str, properties: Mapping[str, str]
) -> Version:
    number = _next_number(base)
    draft = base / f"{TEMPORARY}{number}"
    try:
        draft.mkdir()
        copied = contents.copy(files, draft)
        _compare(copied, contents.describe(draft), draft)
        version = Version(
            number=number,
            path=base / str(number),
            key=key,
            sha256=contents.digest_of(copied),
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            properties=dict(properties),
            files=copied,
        )
        contents.write(draft / MANIFEST, manifests.to_json(version))
        contents.sync_folders(draft)
        _remember(base, number)
        draft.rename(version.path)
    except BaseException:
        _remove_leftovers(base, ignore_errors=True)
        raise
    contents.sync_folder(base)
    return version


def _compare(sent: tuple[FileRecord, ...], written: tuple[FileRecord, ...], draft: Path) -> None:
    """Holds what is on the disk to what was read from the model."""
    wrong = sorted({file.path for file in set(sent) ^ set(written)})
    if wrong:
        raise PublishError(
            f"{draft / wrong[0]} reads back otherwise than it was written. The file system is not "
            "sound; nothing was published."
        )


def _intact_with_key(base: Path, key: str) -> Version | None:
    same = [version for version in versions(base) if version.key == key and not verify(version)]
    return same[-1] if same else None


def _next_number(base: Path) -> int:
    counter = base / LAST_VERSION
    last = counter.read_bytes().decode(errors="replace").strip() if counter.exists() else "0"
    if not last.isdecimal():
        raise PublishError(
            f"{counter} holds {last[:40]!r}, expected the last version's number. Write the highest "
            "number ever published into it."
        )
    return 1 + max([int(last), *(int(folder.name) for folder in _folders(base))])


def _remember(base: Path, number: int) -> None:
    """Notes that `number` is taken, before anyone can see the version."""
    contents.replace({base / LAST_VERSION: f"{number}\n"})


def _remove_leftovers(base: Path, *, ignore_errors: bool = False) -> None:
    """Removes unfinished copies; the lock says that nobody is working on them."""
    for leftover in base.glob(f"{TEMPORARY}*"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=ignore_errors)
            continue
        try:
            leftover.unlink()
        except OSError:
            if not ignore_errors:
                raise


def _folders(base: Path) -> Sequence[Path]:
    """What a server would take for a version of the model: folders named by a number."""
    if not base.is_dir():
        return []
    numbers = (path for path in base.iterdir() if path.name.isascii() and path.name.isdecimal())
    return sorted((path for path in numbers if path.is_dir()), key=lambda path: int(path.name))


def _read(folder: Path) -> Version | str:
    """The version in `folder`, or a sentence about why it is none."""
    manifest = folder / MANIFEST
    try:
        found = manifests.from_json(manifest.read_bytes())
    except FileNotFoundError:
        return f"{folder} has no {MANIFEST}: it was not published by this tool."
    except ValueError as error:
        return f"{manifest} is damaged: {error}."
    values = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    return Version(**values, path=folder)

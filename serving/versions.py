"""Publishes models where a server finds them: `<base>/<version>/saved_model.pb`.

`base` is the folder of one model, the `base_path` of TF Serving. A version is copied into a
hidden sibling, synced to the disk, and appears by one rename with its manifest inside; TF Serving
ignores names that are not numbers. Beside the versions lie

    .lock            held while publishing
    .last_version    the highest number ever given, so that none is given twice
    .tmp-<name>      the copy being made; what a killed publisher left is removed by the next one
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import filelock

from serving import contents
from serving.contents import MANIFEST, FileRecord
from serving.errors import PublishError

SAVED_MODEL = "saved_model.pb"
LOCK = ".lock"
LAST_VERSION = ".last_version"
TEMPORARY = ".tmp-"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Version:
    """One published version, as its manifest describes it.

    Attributes:
        number: what a server knows it by; the highest is the newest.
        path: the folder of the version.
        key: who asked for it; one key is published once.
        sha256: one hash of all its files.
        created: when it was published, in UTC, ISO 8601.
        properties: what the publisher noted about its origin.
        files: every file but the manifest.
    """

    number: int
    path: Path
    key: str
    sha256: str
    created: str
    properties: Mapping[str, str]
    files: tuple[FileRecord, ...]

    @property
    def manifest(self) -> Path:
        """The file inside the version that describes it."""
        return self.path / MANIFEST

    @property
    def size_bytes(self) -> int:
        """The size of all files together."""
        return sum(file.size_bytes for file in self.files)


def publish(
    model_dir: Path,
    base: Path,
    *,
    key: str,
    properties: Mapping[str, str],
    lock_timeout_s: float = 600,
) -> Version:
    """Publishes a copy of `model_dir` as a new version, unless `key` was published before.

    Args:
        model_dir: the folder that holds `saved_model.pb`.
        base: the folder of the model; made if it does not exist.
        key: names this push; an intact version with the same key is returned instead.
        properties: what to note about the model's origin.
        lock_timeout_s: how long to wait for another publisher, in seconds.

    Raises:
        PublishError: it is no SavedModel, another publisher does not finish, or the file system
            refuses; a reader sees either all of the new version or nothing.
    """
    if not (model_dir / SAVED_MODEL).is_file():
        raise PublishError(f"{model_dir} holds no {SAVED_MODEL}, so it is not a SavedModel.")
    try:
        base.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(base / LOCK, timeout=lock_timeout_s):
            _remove_leftovers(base)
            published = _intact_with_key(base, key)
            return published or _publish_new(model_dir, base, key=key, properties=properties)
    except filelock.Timeout as error:
        raise PublishError(
            f"Another process has held {base / LOCK} for {lock_timeout_s:g} s. Wait for it to "
            "finish publishing, or stop it, and run the same command again."
        ) from error
    except OSError as error:
        where = f" at {error.filename}" if error.filename else ""
        raise PublishError(
            f"Cannot publish {model_dir} to {base}: {error.strerror or error}{where}. Nothing "
            "half-written is left. Free the space or grant the right, and run it again."
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
    present = {file.path: file for file in contents.describe(version.path)}
    expected = {file.path: file for file in version.files}
    problems = []
    for path in sorted(expected.keys() | present.keys()):
        where = version.path / path
        if path not in present:
            problems.append(f"{where} is missing.")
        elif path not in expected:
            problems.append(f"{where} was not published: it is not in the manifest.")
        elif present[path] != expected[path]:
            problems.append(
                f"{where} was changed: {present[path].size_bytes} bytes with sha256 "
                f"{present[path].sha256[:12]}, published were {expected[path].size_bytes} bytes "
                f"with sha256 {expected[path].sha256[:12]}."
            )
    if contents.digest_of(version.files) != version.sha256:
        problems.append(f"{version.manifest} was changed: its sha256 is not that of its files.")
    if version.path.name != str(version.number):
        problems.append(f"{version.path} was published as version {version.number}.")
    return problems


def audit(base: Path) -> dict[str, list[str]]:
    """The problems of everything a server would take for a version, by the folder's name."""
    reports = {}
    for folder in _folders(base):
        version = _read(folder)
        reports[folder.name] = verify(version) if isinstance(version, Version) else [version]
    return reports


def _publish_new(
    model_dir: Path, base: Path, *, key: str, properties: Mapping[str, str]
) -> Version:
    number = _next_number(base)
    draft = base / f"{TEMPORARY}{number}"
    try:
        draft.mkdir()
        files = contents.copy(model_dir, draft)
        version = Version(
            number=number,
            path=base / str(number),
            key=key,
            sha256=contents.digest_of(files),
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            properties=dict(properties),
            files=files,
        )
        contents.write(draft / MANIFEST, _to_json(version))
        contents.sync_folders(draft)
        _remember(base, number)
        draft.rename(version.path)
    except BaseException:
        _remove_leftovers(base, ignore_errors=True)
        raise
    contents.sync_folder(base)
    return version


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
    draft = base / f"{TEMPORARY}{LAST_VERSION}"
    contents.write(draft, f"{number}\n")
    draft.replace(base / LAST_VERSION)
    contents.sync_folder(base)


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


def _to_json(version: Version) -> str:
    document = dataclasses.asdict(version)
    del document["path"]
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _read(folder: Path) -> Version | str:
    """The version in `folder`, or a sentence about why it is none."""
    manifest = folder / MANIFEST
    try:
        document = json.loads(manifest.read_bytes())
        files = tuple(FileRecord(**file) for file in document.pop("files"))
        return Version(**document, path=folder, files=files)
    except FileNotFoundError:
        return f"{folder} has no {MANIFEST}: it was not published by this tool."
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return f"{manifest} is damaged: {error}."

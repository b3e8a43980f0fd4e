"""Where the versions of one model lie, with what is said about them: a folder, or a URL.

Beside what `serving.versions` writes, a folder holds

    <serving>/models.config              what a server loads, and the labels, of all models
    <serving>/.models.config.lock        held while that is changed
    <serving>/<model>/.history.jsonl     the changes of the labels
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from serving import contents, labels, versions
from serving.errors import LabelError
from serving.locks import held
from serving.manifests import Manifest

HISTORY = ".history.jsonl"
LABEL_LOCK = ".models.config.lock"
LOCK_TIMEOUT_S = 60.0


class Shelf(Protocol):
    """The versions of one model.

    Attributes:
        model: what a server knows the model by.
        location: the folder or URL of its versions, absolute: a server's `base_path`.
        config_location: the folder or URL of `models.config`, for messages.
        history_location: the same of the history.
    """

    model: str
    location: str
    config_location: str
    history_location: str

    def path_of(self, number: int) -> str:
        """The folder or URL of a version."""
        ...

    def numbers(self) -> list[int]:
        """Every number that a server would take for a version, ascending."""
        ...

    def manifests(self) -> list[Manifest]:
        """The versions that were published here, by number."""
        ...

    def problems(self, number: int) -> list[str]:
        """What is wrong with a version: reads all its files; empty if it is as published."""
        ...

    def publish(
        self,
        model_dir: Path,
        *,
        key: str,
        properties: Mapping[str, str],
        extras: Mapping[str, Path],
    ) -> Manifest:
        """Publishes a new version, or finds the one with the same key; see `versions.publish`."""
        ...

    def remove(self, numbers: Sequence[int]) -> None:
        """Removes versions; the caller holds `locked_versions`."""
        ...

    def locked_versions(self) -> contextlib.AbstractContextManager[None]:
        """Keeps others from publishing and removing; taken before `locked_labels`."""
        ...

    def locked_labels(self) -> contextlib.AbstractContextManager[None]:
        """Keeps others from changing `models.config` and the history."""
        ...

    def read_config(self) -> bytes:
        """The text of `models.config`; empty if there is none."""
        ...

    def read_history(self) -> bytes:
        """The text of the history; empty if there is none."""
        ...

    def write(self, *, config: bytes, history: bytes | None = None) -> None:
        """Replaces `models.config`, and then the history; a reader sees whole files.

        Raises:
            LabelError: the file system refuses; then nothing was replaced.
        """
        ...


class LocalShelf:
    """A shelf that is a folder of a mounted file system."""

    def __init__(self, base: Path) -> None:
        """Names the folder; nothing is read or made yet.

        Args:
            base: the folder of the model's versions.
        """
        self.base = base.absolute()
        self.model = self.base.name
        self.location = str(self.base)
        self._config = labels.config_of(self.base)
        self._history = self.base / HISTORY
        self.config_location = str(self._config)
        self.history_location = str(self._history)

    def path_of(self, number: int) -> str:
        """See `Shelf`."""
        return str(self.base / str(number))

    def numbers(self) -> list[int]:
        """See `Shelf`."""
        with _explained(f"Cannot read {self.base}"):
            return versions.numbers(self.base)

    def manifests(self) -> list[Manifest]:
        """See `Shelf`."""
        with _explained(f"Cannot read {self.base}"):
            return list(versions.versions(self.base))

    def problems(self, number: int) -> list[str]:
        """See `Shelf`."""
        with _explained(f"Cannot read {self.path_of(number)}"):
            reports = versions.audit(self.base, only=number)
        return reports.get(str(number), [f"{self.path_of(number)} does not exist."])

    def publish(
        self,
        model_dir: Path,
        *,
        key: str,
        properties: Mapping[str, str],
        extras: Mapping[str, Path],
    ) -> Manifest:
        """See `Shelf`."""
        return versions.publish(model_dir, self.base, key=key, properties=properties, extras=extras)

    def remove(self, numbers: Sequence[int]) -> None:
        """See `Shelf`."""
        versions.remove(self.base, numbers)

    @contextlib.contextmanager
    def locked_versions(self) -> Iterator[None]:
        """See `Shelf`."""
        with contextlib.ExitStack() as stack:
            with _explained(f"Cannot lock {self.base}"):
                stack.enter_context(versions.locked(self.base))
            yield

    @contextlib.contextmanager
    def locked_labels(self) -> Iterator[None]:
        """See `Shelf`."""
        path = self._config.with_name(LABEL_LOCK)
        with contextlib.ExitStack() as stack:
            with _explained(f"Cannot lock {path}"):
                stack.enter_context(held(path, timeout_s=LOCK_TIMEOUT_S, error=LabelError))
            yield

    def read_config(self) -> bytes:
        """See `Shelf`."""
        return _read(self._config)

    def read_history(self) -> bytes:
        """See `Shelf`."""
        return _read(self._history)

    def write(self, *, config: bytes, history: bytes | None = None) -> None:
        """See `Shelf`."""
        texts = {self._config: config}
        if history is not None:
            texts[self._history] = history
        with _explained(f"Cannot write {self._config}"):
            contents.replace(texts)


def _read(path: Path) -> bytes:
    with _explained(f"Cannot read {path}"):
        return path.read_bytes() if path.exists() else b""


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turns what the file system says into an error that a user can act on."""
    try:
        yield
    except OSError as error:
        raise LabelError(
            f"{what}: {error.strerror or error}. The labels are as they were. Free the space or "
            "grant the right, and run it again."
        ) from error

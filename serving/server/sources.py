"""Which models, and which of their versions, are to be served: read from the disk.

models.config   says it for every model it names, as to TF Serving
(no such file)  the newest version of every model folder
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from serving import model_config
from serving.errors import LabelError
from serving.server.errors import RequestError, SettingsError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """Where one model's versions lie, and which of them are wanted.

    Attributes:
        name: what clients call the model.
        base: the folder with a folder for each version.
        num_latest: how many of the newest are wanted, unless `specific` or `every` says it.
        specific: exactly these versions, if not empty.
        every: all that there are.
        labels: the version of each label.
    """

    name: str
    base: Path
    num_latest: int = 1
    specific: tuple[int, ...] = ()
    every: bool = False
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def wanted(self) -> tuple[int, ...] | None:
        """The versions on the disk that are wanted, in order; None if it cannot be read."""
        try:
            present = sorted(_versions(self.base))
        except OSError:
            return None
        if self.specific:
            return tuple(version for version in present if version in self.specific)
        return tuple(present if self.every else present[-self.num_latest :])


def from_config(text: bytes, *, origin: str) -> list[Source]:
    """What a `models.config` says.

    Args:
        text: protobuf's text format.
        origin: what to call it in a message.

    Raises:
        LabelError: it is damaged, or TF Serving would refuse it.
    """
    config = model_config.parse(text, origin=origin)
    return [_source(entry, origin) for entry in config.model_config_list.config]


def from_folder(serving: Path) -> list[Source]:
    """Every folder of `serving` that holds a version, as a model of its name.

    Raises:
        OSError: the folder cannot be read.
    """
    found = []
    for folder in sorted(serving.iterdir()):
        if folder.is_dir() and not folder.name.startswith(".") and any(_versions(folder)):
            found.append(Source(name=folder.name, base=folder))
    return found


def from_flags(models: Iterable[str]) -> list[Source]:
    """The models given as `NAME=FOLDER`.

    Raises:
        SettingsError: one is not of that form, or a name is given twice.
    """
    found: dict[str, Source] = {}
    for text in models:
        name, _, folder = text.partition("=")
        if not name or not folder or set(name) & set("/:"):
            raise SettingsError(f"--model {text!r} is not of the form NAME=FOLDER.")
        if name in found:
            raise SettingsError(f"--model names '{name}' twice. Remove one of them.")
        found[name] = Source(name=name, base=Path(folder).absolute())
    return list(found.values())


class Sources:
    """The models to serve, read again and again; what cannot be read stays as it was.

    Attributes:
        problem: why the last reading was of no use; empty if it was.
    """

    def __init__(self, serving: Path, config: Path, fixed: list[Source]) -> None:
        """Reads nothing yet.

        Args:
            serving: the folder with a folder for each model.
            config: the `models.config`.
            fixed: if there are any, these are served and nothing is read.
        """
        self.problem = ""
        self._serving = serving
        self._config = config
        self._is_fixed = bool(fixed)
        self._found = fixed
        self._text: bytes | None = None
        self._is_told = False  # by a models.config, of the file or of a client

    def read(self) -> list[Source]:
        """What is to be served now."""
        if self._is_fixed:
            return self._found
        try:
            text = self._config.read_bytes()
            if text != self._text:
                self._found = from_config(text, origin=str(self._config))
                self._text, self._is_told = text, True
            self.problem = ""
        except FileNotFoundError:
            self._read_folder()
        except (OSError, LabelError) as error:
            self.problem = f"{self._config} is not used: {error}"
        return self._found

    def replace(self, text: str) -> None:
        """Takes a configuration from a client instead, until the file changes.

        Raises:
            RequestError: it is damaged.
        """
        try:
            self._found = from_config(text.encode(), origin="the configuration in the request")
        except LabelError as error:
            raise RequestError(str(error), "INVALID_ARGUMENT") from error
        self._is_told = True

    def _read_folder(self) -> None:
        # A file that is gone says what it last said: its labels must not be forgotten.
        self.problem = f"{self._config} is gone; serving what it said" if self._text else ""
        if not self._is_told:
            try:
                self._found = from_folder(self._serving)
            except OSError as error:
                self.problem = f"Cannot read {self._serving}: {error.strerror or error}"


def _source(entry: Any, origin: str) -> Source:
    if not entry.name:
        raise LabelError(f"{origin} has a model without a name.")
    if entry.model_platform not in ("", model_config.PLATFORM):
        raise LabelError(
            f"{origin}: model '{entry.name}' has model_platform {entry.model_platform!r}, expected "
            f"{model_config.PLATFORM!r}."
        )
    if not Path(entry.base_path).is_absolute():
        raise LabelError(
            f"{origin}: expected model {entry.name} to have an absolute path; got "
            f"base_path={entry.base_path!r}."
        )
    policy = entry.model_version_policy
    return Source(
        name=entry.name,
        base=Path(entry.base_path),
        num_latest=policy.latest.num_versions or 1,
        specific=model_config.versions_of(entry),
        every=policy.WhichOneof("policy_choice") == "all",
        labels=model_config.labels_of(entry),
    )


def _versions(base: Path) -> Iterable[int]:
    for folder in base.iterdir():
        name = folder.name
        if name.isascii() and name.isdecimal() and len(name) < 19 and folder.is_dir():
            yield int(name)

"""Settings of pushing: where versions are published, which label follows, and how many stay."""

from __future__ import annotations

import re

import pydantic

from components.settings import Settings
from serving.availability import check_url

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://.*[^/]")


class PushSettings(Settings):
    """Where the versions go, `<directory>/<model>/<version>/`, and what a server then gets.

    `directory` is a folder, or a URL that TensorFlow reads, such as gs://bucket/serving; a relative
    folder starts at the root of the run. By default it is `serving` in that root.

    `label` moves to the new version; without one (null) a server gets the version by its number
    alone. With `server`, the label moves once that server has loaded the version, which may take
    `server_timeout_s`; `server_token_file` holds the bearer token that it asks for.

    The newest `keep` versions stay; of older ones, those that are labelled or that a label can go
    back to.
    """

    directory: str | None = pydantic.Field(default=None, min_length=1)
    label: str | None = pydantic.Field(default="stable", pattern=r"^[A-Za-z0-9_]+$")
    keep: int = pydantic.Field(default=10, ge=1)
    server: str | None = None
    server_timeout_s: float = pydantic.Field(default=60, gt=0)
    server_token_file: str | None = pydantic.Field(default=None, min_length=1)

    @pydantic.field_validator("directory")
    @classmethod
    def _is_a_folder_or_an_url(cls, directory: str | None) -> str | None:
        if directory is None or "://" not in directory:
            return directory
        directory = directory.rstrip("/")
        match = _SCHEME.fullmatch(directory)
        if match is None or match[1] in ("http", "https"):
            raise ValueError(
                f"{directory!r} is no place to write to, expected a folder, or a URL that "
                "TensorFlow writes, such as gs://bucket/serving"
            )
        return directory

    @pydantic.field_validator("server")
    @classmethod
    def _is_an_address(cls, server: str | None) -> str | None:
        return check_url(server) if server is not None else None

    @property
    def is_url(self) -> bool:
        """Whether the versions go somewhere that is no folder of this machine."""
        return self.directory is not None and "://" in self.directory

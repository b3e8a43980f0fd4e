"""Settings of pushing: where versions are published."""

from __future__ import annotations

import pydantic

from components.settings import Settings


class PushSettings(Settings):
    """Where the versions go: `<directory>/<model>/<version>/`.

    `directory` is a folder of a mounted file system; a relative one starts at the root of the
    run. By default it is `serving` in that root.
    """

    directory: str | None = pydantic.Field(default=None, min_length=1)

    @pydantic.field_validator("directory")
    @classmethod
    def _is_mounted(cls, directory: str | None) -> str | None:
        if directory is not None and "://" in directory:
            raise ValueError(
                f"{directory!r} is a URL, expected a folder: a version appears by a rename, which "
                "object stores do not have. Mount the store, or copy from the pushed folder."
            )
        return directory

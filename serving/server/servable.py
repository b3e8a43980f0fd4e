"""A version that is loaded, and who is using it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from serving.runtime import SavedModel
from serving.signatures import Signature

DEFAULT_SIGNATURE = "serving_default"


class Servable:
    """A loaded version; it stays loaded until its last user has released it.

    Its methods are called in the thread of the event loop.

    Attributes:
        model: the name of the model.
        version: its number.
        path: its folder, which holds `assets.extra`.
        saved_model: what answers.
        unbatchable: the signatures whose rows turned out not to be independent.
    """

    def __init__(self, model: str, version: int, path: Path, saved_model: SavedModel) -> None:
        self.model = model
        self.version = version
        self.path = path
        self.saved_model = saved_model
        self.unbatchable: set[str] = set()
        self._num_users = 0
        self._unused: asyncio.Event | None = None

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """What it can be asked, by name: types and shapes of inputs and outputs."""
        return self.saved_model.signatures

    @property
    def signature_map(self) -> bytes:
        """The same with all the model says, as a serialized SignatureDefMap."""
        return self.saved_model.signature_map

    def acquire(self) -> None:
        """Notes a user."""
        self._num_users += 1

    def release(self) -> None:
        """Takes back one `acquire`."""
        self._num_users -= 1
        if self._unused is not None and self._num_users == 0:
            self._unused.set()

    async def unused(self) -> None:
        """Returns once nobody uses it; no new user may come meanwhile."""
        if self._num_users:
            self._unused = asyncio.Event()
            await self._unused.wait()

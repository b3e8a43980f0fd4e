"""What the metadata store says, as plain frozen values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Value = int | float | str | bool


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """Something a node wrote: where it is, and what is known of it."""

    id: int
    type: str
    uri: str
    live: bool
    properties: Mapping[str, Value]

    def text(self, name: str) -> str:
        """A property as text; empty where it is not recorded."""
        return str(self.properties.get(name, ""))


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One run of one node, or its use of an earlier result (`state` is then CACHED).

    `inputs` and `outputs` map a channel's key to its artifacts, in order.
    """

    id: int
    node: str
    state: str
    run: str
    started_ms: int
    updated_ms: int
    properties: Mapping[str, Value]
    inputs: Mapping[str, tuple[Artifact, ...]]
    outputs: Mapping[str, tuple[Artifact, ...]]

    @property
    def succeeded(self) -> bool:
        """Whether its outputs may be used."""
        return self.state in ("COMPLETE", "CACHED")

    def output(self, key: str) -> Artifact | None:
        """The first output under `key`."""
        artifacts = self.outputs.get(key, ())
        return artifacts[0] if artifacts else None


# Gives a node's executions, newest first.
History = Callable[[str], Sequence[Execution]]

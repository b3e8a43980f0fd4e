"""What the metadata store says, as plain frozen values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Value = int | float | str | bool

# States of an execution, as ML Metadata names them.
DONE_STATES = ("COMPLETE", "CACHED")
UNFINISHED_STATES = ("NEW", "RUNNING")


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """Something a node wrote: where it is, and what is known of it.

    Attributes:
        id: its number in the store.
        type: the name of its type, such as `Model`.
        uri: where its content is.
        live: whether its content is said to be there.
        properties: by name; a custom property hides a declared one of the same name.
        name: what it was called; mostly empty.
        created_ms: when it was recorded, in milliseconds since 1970, UTC.
        updated_ms: when the record was changed last.
        state: as ML Metadata names it, such as `LIVE` or `MARKED_FOR_DELETION`.
    """

    id: int
    type: str
    uri: str
    live: bool
    properties: Mapping[str, Value]
    name: str = ""
    created_ms: int = 0
    updated_ms: int = 0
    state: str = ""

    def text(self, name: str) -> str:
        """A property as text; empty where it is not recorded."""
        return str(self.properties.get(name, ""))


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One run of one node, or its use of an earlier result (`state` is then CACHED).

    Attributes:
        id: its number in the store.
        node: the node's id in its pipeline; the short name of the type where no node is recorded.
        state: `NEW`, `RUNNING`, `COMPLETE`, `FAILED`, `CACHED`, `CANCELED` or `UNKNOWN`.
        run: the id of the pipeline run; empty where none is recorded.
        started_ms: when it was recorded, in milliseconds since 1970, UTC.
        updated_ms: when the record was changed last; of a finished execution, its end.
        properties: by name; a custom property hides a declared one of the same name.
        inputs: a channel's key to its artifacts, in order.
        outputs: the same of what it wrote.
        type: the full name of its type, such as `tfx.components.trainer.component.Trainer`.
        pipeline: the name of the pipeline; empty where none is recorded.
        name: what it was called; mostly empty.
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
    type: str = ""
    pipeline: str = ""
    name: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether its outputs may be used."""
        return self.state in DONE_STATES

    @property
    def seconds(self) -> float | None:
        """From its start to its end; None while it is unfinished."""
        if self.state in UNFINISHED_STATES:
            return None
        return max(0, self.updated_ms - self.started_ms) / 1000

    def output(self, key: str) -> Artifact | None:
        """The first output under `key`."""
        artifacts = self.outputs.get(key, ())
        return artifacts[0] if artifacts else None

    def text(self, name: str) -> str:
        """A property as text; empty where it is not recorded."""
        return str(self.properties.get(name, ""))


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a pipeline.

    Attributes:
        pipeline: the pipeline's name; empty where none is recorded.
        id: the run's id, which names its context.
        context: the context's number in the store.
        started_ms: when it was recorded, in milliseconds since 1970, UTC.
        ended_ms: when its last execution ended; 0 while one is unfinished or there is none.
        state: `RUNNING`, `COMPLETE`, `FAILED`, `CANCELED`, `EMPTY` when nothing ran in it, or
            `UNFINISHED` when it recorded its start but not its end, and no execution is running:
            it was killed between two nodes, or is between two nodes now.
        properties: of its context.
        executions: of its nodes by id, oldest first; empty where only the run was asked for.
    """

    pipeline: str
    id: str
    context: int
    started_ms: int
    ended_ms: int = 0
    state: str = ""
    properties: Mapping[str, Value] = field(default_factory=dict)
    executions: tuple[Execution, ...] = ()

    def text(self, name: str) -> str:
        """A property as text; empty where it is not recorded."""
        return str(self.properties.get(name, ""))

    def execution(self, node: str) -> Execution | None:
        """The newest execution of a node, by its id or by the short name of its type."""
        for execution in reversed(self.executions):
            if node in (execution.node, short_type(execution.type)):
                return execution
        return None


@dataclass(frozen=True, kw_only=True)
class Edge:
    """That an execution read or wrote an artifact.

    Attributes:
        execution: the execution's number.
        artifact: the artifact's number.
        is_output: whether it was written; else it was read.
        key: the channel's name; empty where none is recorded.
        index: its place in the channel, from 0.
    """

    execution: int
    artifact: int
    is_output: bool
    key: str = ""
    index: int = 0


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Executions and artifacts, and what read and wrote what: a run, a trace, an impact.

    The executions' own `inputs` and `outputs` are filled with the artifacts of the graph. Every
    edge leads between members.

    Attributes:
        executions: by number.
        artifacts: by number.
        edges: in the order of the store.
        roots: the artifacts or executions that were asked about, as `artifact:12`.
        is_cut: whether a limit was reached, so that there is more than this.
    """

    executions: Mapping[int, Execution] = field(default_factory=dict)
    artifacts: Mapping[int, Artifact] = field(default_factory=dict)
    edges: tuple[Edge, ...] = ()
    roots: tuple[str, ...] = ()
    is_cut: bool = False

    def producers(self, artifact: int) -> tuple[Execution, ...]:
        """The executions that wrote an artifact or answered it from the cache, oldest first."""
        ids = {e.execution for e in self.edges if e.is_output and e.artifact == artifact}
        return tuple(self.executions[number] for number in sorted(ids))

    def consumers(self, artifact: int) -> tuple[Execution, ...]:
        """The executions that read an artifact, oldest first."""
        ids = {e.execution for e in self.edges if not e.is_output and e.artifact == artifact}
        return tuple(self.executions[number] for number in sorted(ids))

    def of_type(self, *names: str) -> tuple[Artifact, ...]:
        """The artifacts of these types, oldest first."""
        found = (item for item in self.artifacts.values() if item.type in names)
        return tuple(sorted(found, key=lambda item: item.id))


def short_type(name: str) -> str:
    """The last part of a dotted type name: `Trainer`."""
    return name.rsplit(".", 1)[-1]


def channels(
    edges: Iterable[Edge], artifacts: Mapping[int, Artifact], *, is_output: bool
) -> dict[str, tuple[Artifact, ...]]:
    """One execution's edges as channel key to artifacts, each channel in the order of its index."""
    found: dict[str, list[tuple[int, Artifact]]] = {}
    for edge in edges:
        if edge.is_output == is_output and edge.artifact in artifacts:
            found.setdefault(edge.key, []).append((edge.index, artifacts[edge.artifact]))
    return {
        key: tuple(item for _, item in sorted(items, key=lambda pair: (pair[0], pair[1].id)))
        for key, items in found.items()
    }


# Gives a node's executions, newest first.
History = Callable[[str], Sequence[Execution]]

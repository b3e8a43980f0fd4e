"""A store in memory: what a query may ask, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from pipeline.lineage.models import Artifact, Edge, Execution, Run


@dataclass
class FakeReader:
    """A `Reader` of what it is given; everything belongs to one run."""

    made: dict[int, Execution] = field(default_factory=dict)
    held: dict[int, Artifact] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    run_: Run = field(
        default_factory=lambda: Run(pipeline="trips", id="run-1", context=1, started_ms=1)
    )

    def node(
        self,
        kind: str,
        *,
        reads: Iterable[tuple[str, int]] = (),
        writes: Iterable[tuple[str, str]] = (),
        state: str = "COMPLETE",
        **properties: str,
    ) -> list[int]:
        """Adds an execution; returns the numbers of what it wrote, each a (key, type)."""
        number = len(self.made) + 1
        self.made[number] = Execution(
            id=number,
            node=kind,
            state=state,
            run="",
            started_ms=number,
            updated_ms=number + 1,
            properties=properties,
            inputs={},
            outputs={},
            type=f"tfx.{kind}",
        )
        for key, artifact in reads:
            self.edges.append(Edge(execution=number, artifact=artifact, is_output=False, key=key))
        found = []
        for key, name in writes:
            artifact = len(self.held) + 1
            self.held[artifact] = Artifact(
                id=artifact, type=name, uri=f"/{kind}/{artifact}", live=True, properties={}
            )
            self.edges.append(Edge(execution=number, artifact=artifact, is_output=True, key=key))
            found.append(artifact)
        return found

    def give(self, artifact: int, **properties: str | int) -> None:
        """Sets properties of an artifact."""
        self.held[artifact] = replace(self.held[artifact], properties=properties)

    def artifacts_by_id(self, ids: Iterable[int]) -> dict[int, Artifact]:
        return {number: self.held[number] for number in ids if number in self.held}

    def artifacts_at(self, uri: str) -> list[Artifact]:
        return [item for item in self.held.values() if item.uri == uri]

    def executions_by_id(self, ids: Iterable[int]) -> dict[int, Execution]:
        return {number: self.made[number] for number in ids if number in self.made}

    def executions_of_type(self, name: str) -> list[Execution]:
        return [item for item in self.made.values() if item.type == name]

    def execution_types(self) -> list[str]:
        return sorted({item.type for item in self.made.values()})

    def edges_of_executions(self, ids: Iterable[int]) -> list[Edge]:
        wanted = set(ids)
        return [edge for edge in self.edges if edge.execution in wanted]

    def edges_of_artifacts(self, ids: Iterable[int]) -> list[Edge]:
        wanted = set(ids)
        return [edge for edge in self.edges if edge.artifact in wanted]

    def placed(self, executions: Iterable[Execution]) -> dict[int, Execution]:
        return {e.id: replace(e, run=self.run_.id, pipeline="trips") for e in executions}

    def run(self, name: str) -> Run | None:
        return self.run_ if name == self.run_.id else None

    def runs(self) -> Iterator[Run]:
        yield self.run_

    def executions_of_run(self, run: Run) -> list[Execution]:
        return list(self.made.values())

    def newest_artifacts(self) -> Iterator[Artifact]:
        yield from (self.held[number] for number in sorted(self.held, reverse=True))

    def newest_executions(self) -> Iterator[Execution]:
        yield from (self.made[number] for number in sorted(self.made, reverse=True))

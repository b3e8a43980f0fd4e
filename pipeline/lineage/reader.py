"""What a query asks of a store. Queries know nothing else, so a test can stand in for a store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from pipeline.lineage.models import Artifact, Edge, Execution, Run


class Reader(Protocol):
    """Reads a metadata store; every call reads anew, in batches that bound its memory.

    Executions come without their inputs and outputs, and named by their type, until `placed` and
    the edges say more: that costs further calls, which few answers need for all they touch.
    Numbers that the store does not know are left out of an answer.
    """

    def artifacts_by_id(self, ids: Iterable[int]) -> dict[int, Artifact]:
        """The artifacts with these numbers, by number."""

    def artifacts_at(self, uri: str) -> list[Artifact]:
        """The artifacts whose uri is exactly this, oldest first."""

    def executions_by_id(self, ids: Iterable[int]) -> dict[int, Execution]:
        """The executions with these numbers, by number."""

    def executions_of_type(self, name: str) -> list[Execution]:
        """The executions of a type, oldest first."""

    def execution_types(self) -> list[str]:
        """The full names of all types of executions."""

    def edges_of_executions(self, ids: Iterable[int]) -> list[Edge]:
        """What these executions read and wrote, in the order of the store."""

    def edges_of_artifacts(self, ids: Iterable[int]) -> list[Edge]:
        """What read and wrote these artifacts, in the order of the store."""

    def placed(self, executions: Iterable[Execution]) -> dict[int, Execution]:
        """The same executions with their node, run and pipeline, by number."""

    def run(self, name: str) -> Run | None:
        """The run of this id, without its executions."""

    def runs(self) -> Iterator[Run]:
        """All runs, newest first, without their executions; read as they are asked for."""

    def executions_of_run(self, run: Run) -> list[Execution]:
        """The executions of a run, oldest first."""

    def newest_artifacts(self) -> Iterator[Artifact]:
        """All artifacts, newest first; read as they are asked for."""

    def newest_executions(self) -> Iterator[Execution]:
        """All executions, newest first; read as they are asked for."""

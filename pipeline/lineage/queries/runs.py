"""The runs, newest first: when, how long, how they ended, and what came of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from pipeline.lineage.models import Artifact, Execution, Run, short_type
from pipeline.lineage.queries import states
from pipeline.lineage.reader import Reader

# Only what these wrote says how a run ended.
_TELLING = ("Evaluator", "InfraValidator", "ServingCheck", "Pusher")
_BATCH = 20


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which runs; nothing given is all of them.

    Attributes:
        pipeline: the name of the pipeline.
        state: as `Run.state`, or a decision such as `pushed`, in any case.
        since_ms: started at or after, in milliseconds since 1970.
        until_ms: started before.
    """

    pipeline: str | None = None
    state: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """A run in a list.

    Attributes:
        run: with its executions, which are named by their types.
        decision: what was decided: `pushed`, `not good enough`, `failed`, `unfinished`, …
        reason: in words; may be empty.
        metrics: of the candidate, over all examples.
        version: the pushed version; empty when none was pushed.
        num_cached: executions that used an earlier result.
    """

    run: Run
    decision: str
    reason: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    version: str = ""
    num_cached: int = 0

    @property
    def seconds(self) -> float | None:
        """From the run's start to the end of its last execution; None while it runs."""
        if not self.run.ended_ms:
            return None
        return max(0, self.run.ended_ms - self.run.started_ms) / 1000


@dataclass(frozen=True, kw_only=True)
class Page:
    """A part of a list.

    Attributes:
        rows: its members.
        has_more: whether more follow.
    """

    rows: tuple[RunRow, ...]
    has_more: bool


def list_runs(
    reader: Reader, wanted: Filter | None = None, *, limit: int = 20, skip: int = 0
) -> Page:
    """A page of the runs that a filter lets in.

    Args:
        reader: of the store.
        wanted: which runs.
        limit: at most so many.
        skip: leave out the first so many.
    """
    wanted = wanted or Filter()
    # How a run ended is known only when all it wrote is read; without such a filter it is not, for
    # the runs that are left out.
    unread, skip = (0, skip) if wanted.state else (skip, 0)
    rows = list(islice(_rows(reader, wanted, limit + skip, unread), skip, skip + limit + 1))
    return Page(rows=tuple(rows[:limit]), has_more=len(rows) > limit)


def _rows(reader: Reader, wanted: Filter, hint: int, unread: int) -> Iterator[RunRow]:
    waiting: list[Run] = []
    size = min(_BATCH, hint + 1)
    for run in islice(_runs(reader, wanted), unread, None):
        waiting.append(run)
        if len(waiting) == size:
            yield from _matching(summarise(reader, waiting), wanted)
            waiting = []
    yield from _matching(summarise(reader, waiting), wanted)


def _runs(reader: Reader, wanted: Filter) -> Iterator[Run]:
    """The runs that a filter lets in by what is known of them before their nodes are read."""
    for run in reader.runs():
        # A run's context is made when it starts, so contexts are in the order of time.
        if wanted.since_ms is not None and run.started_ms < wanted.since_ms:
            break
        if wanted.until_ms is not None and run.started_ms >= wanted.until_ms:
            continue
        if wanted.pipeline is None or run.pipeline == wanted.pipeline:
            yield run


def _matching(rows: Sequence[RunRow], wanted: Filter) -> Iterator[RunRow]:
    for row in rows:
        asked = (wanted.state or "").lower()
        if not asked or asked in (row.run.state.lower(), row.decision.lower()):
            yield row


def summarise(reader: Reader, runs: Sequence[Run]) -> list[RunRow]:
    """A row for each run; what they wrote is read in one go."""
    whole = [states.complete(run, reader.executions_of_run(run)) for run in runs]
    telling = {
        item.id: run.context for run in whole for item in run.executions if _is_telling(item)
    }
    written = [edge for edge in reader.edges_of_executions(telling) if edge.is_output]
    artifacts = reader.artifacts_by_id(edge.artifact for edge in written)
    by_run: dict[int, dict[int, Artifact]] = {}
    for edge in written:
        if edge.artifact in artifacts:
            context = telling[edge.execution]
            by_run.setdefault(context, {})[edge.artifact] = artifacts[edge.artifact]
    return [row_of(run, by_run.get(run.context, {}).values()) for run in whole]


def row_of(run: Run, artifacts: Collection[Artifact]) -> RunRow:
    """The row of a run.

    Args:
        run: with its executions.
        artifacts: what its Evaluator, its checks and its Pusher wrote.
    """
    decision, reason = states.decision(run, artifacts)
    recorded = states.outcome(run).get("version")
    pushed = [
        item.text("pushed_version")
        for item in artifacts
        if item.type == "PushedModel" and item.text("pushed") == "1"
    ]
    return RunRow(
        run=run,
        decision=decision,
        reason=reason,
        metrics=states.metrics(artifacts),
        version=str(recorded) if recorded is not None else (pushed[-1] if pushed else ""),
        num_cached=sum(item.state == "CACHED" for item in run.executions),
    )


def _is_telling(execution: Execution) -> bool:
    return any(name in short_type(execution.type) for name in _TELLING)

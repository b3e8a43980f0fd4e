"""Reads from Spark's own log of a job whether it lost a worker, or anything a worker had made.

Spark replaces what is lost by doing those tasks once more, and takes it that each gives what it
gave before. Beam's need not: the keys of a Reshuffle and the shards of a file are drawn anew. What
was read of the first attempt and what is read of the second then do not fit, rows can be missing or
there twice, and the job ends as if nothing had happened. So a job that lost anything has to fail:
whether it came to that, nobody can tell.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.errors import NodeFailed

# How tasks end whose output was lost, or who could not read that of others.
_LOST = frozenset({"ExecutorLostFailure", "FetchFailed", "Resubmitted"})
_MAX_REASONS = 3

Attempt = tuple[int, int]


class PartLost(NodeFailed):
    """A part of a job was lost on the way; another attempt may lose none."""

    is_transient = True


def properties(folder: Path) -> list[str]:
    """What a driver of Spark 3 is told, as Java's properties, to log its jobs.

    Args:
        folder: has to be there; gets a file for each job.
    """
    values = {
        "enabled": "true",
        "dir": folder.as_uri(),
        "compress": "false",
        "rolling.enabled": "false",
    }
    return [f"-Dspark.eventLog.{name}={value}" for name, value in values.items()]


def check(folder: Path, job_id: str) -> None:
    """Refuses a job that succeeded, unless its log shows that nothing of it was lost.

    Args:
        folder: of the logs.
        job_id: Beam's, which is the name of Spark's application.

    Raises:
        PartLost: some of it was lost on the way.
        NodeFailed: the log is not there or not whole, so that nobody can tell.
    """
    log = _read(folder, job_id)
    log.refuse_losses()
    if not log.is_whole:
        raise NodeFailed(
            f"Whether Spark lost a worker during this job cannot be told: its event log is "
            f"missing or not whole in {folder}. The result was not taken. Is the disk full, or "
            f"does a flag of beam.args change spark.eventLog?"
        )


def check_failed(folder: Path, job_id: str) -> None:
    """Tells a job that failed after such a loss from one that failed for another reason.

    Args:
        folder: of the logs.
        job_id: Beam's, which is the name of Spark's application.

    Raises:
        PartLost: some of it was lost on the way.
    """
    _read(folder, job_id).refuse_losses()


@dataclass
class _Log:
    """What the log of one application says.

    Attributes:
        losses: what was lost, in words.
        has_ended: whether the application's end is in it.
        done: how many tasks of each attempt at a stage succeeded.
        wanted: how many it had.
    """

    losses: dict[str, None] = field(default_factory=dict)
    has_ended: bool = False
    done: Counter[Attempt] = field(default_factory=Counter)
    wanted: dict[Attempt, int] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether every task is in it: Spark drops events that it has no time to write."""
        return (
            self.has_ended
            and bool(self.wanted)
            and all(self.done[attempt] >= number for attempt, number in self.wanted.items())
        )

    def refuse_losses(self) -> None:
        if self.losses:
            reasons = list(self.losses)
            more = len(reasons) - _MAX_REASONS
            shown = "; ".join([*reasons[:_MAX_REASONS], *([f"{more} more"] if more > 0 else [])])
            raise PartLost(
                f"Spark lost a part of this job on the way ({shown}). It does such parts over "
                f"again, and Beam's steps need not give the same twice: rows may be missing or "
                f"double, so the result was not taken. The same command tries it again."
            )

    def add(self, event: dict[str, Any]) -> None:
        """Takes in one event. What happens after the end of the application is its cleaning up."""
        kind = event["Event"]
        if kind == "SparkListenerApplicationEnd":
            self.has_ended = True
        elif kind == "SparkListenerExecutorRemoved" and not self.has_ended:
            self._lose(f"executor {event['Executor ID']}: {event['Removed Reason']}")
        elif kind == "SparkListenerTaskEnd":
            self._end_task(event)
        elif kind == "SparkListenerStageSubmitted":
            stage = event["Stage Info"]
            self.wanted[_attempt(stage)] = stage["Number of Tasks"]
            if stage["Stage Attempt ID"] > 0:
                self._lose(f"stage {stage['Stage ID']} was started again")

    def _end_task(self, event: dict[str, Any]) -> None:
        reason = event["Task End Reason"]["Reason"]
        if reason == "Success":
            self.done[_attempt(event)] += 1
        elif reason in _LOST:
            self._lose(f"a task of stage {event['Stage ID']}: {reason}")

    def _lose(self, what: str) -> None:
        self.losses[" ".join(what.split())] = None


def _attempt(event: dict[str, Any]) -> Attempt:
    return event["Stage ID"], event["Stage Attempt ID"]


def _read(folder: Path, job_id: str) -> _Log:
    log = _Log()
    for path in sorted(folder.glob("*")):
        if _name(path) == job_id:
            for event in _events(path):
                log.add(event)
    return log


def _name(path: Path) -> str | None:
    """The name of the application that wrote a log; None before it is written."""
    starts = (
        event["App Name"]
        for event in _events(path)
        if event["Event"] == "SparkListenerApplicationStart"
    )
    return next(starts, None)


def _events(path: Path) -> Iterator[dict[str, Any]]:
    """The events of a log, up to a line that is not yet written to its end."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                return

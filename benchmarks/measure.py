"""Runs one command and says what it cost: the time of the whole process, and its memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.memory import TreeMemory

PROJECT = Path(__file__).resolve().parent.parent
_LOG_LINES_SHOWN = 30
# getrusage counts in bytes on macOS, in KiB elsewhere.
_MAXRSS_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


class BenchmarkError(Exception):
    """A measured command failed, so there is nothing to compare."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One run of one command.

    Attributes:
        wall_s: from the start of the process to its end.
        peak_bytes: the largest resident set that any process of its tree had.
        tree_peak_bytes: the largest sum over the processes alive together; 0 where unknown.
        nodes: the seconds of each pipeline node, by the names of the stock template's table.
    """

    wall_s: float
    peak_bytes: int
    tree_peak_bytes: int = 0
    nodes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Spread:
    """What repeated measurements have in common, and how far apart they are."""

    median: float
    min: float
    max: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Summarises at least one value."""
        numbers = list(values)
        return cls(median=statistics.median(numbers), min=min(numbers), max=max(numbers))


def measure(
    command: Sequence[str], *, cwd: Path, log: Path, env: Mapping[str, str] | None = None
) -> Sample:
    """Runs `command` to its end; what it prints goes to `log`.

    The kernel reports the memory of the largest single process: the child, or a child it waited
    for. This process has to stay small itself, since a child starts with its parent's mark.

    Args:
        command: program and arguments.
        cwd: the working directory.
        log: written anew.
        env: the whole environment; this process's if absent.

    Raises:
        BenchmarkError: it ended with another exit code than 0; the log's end is in the message.
    """
    with log.open("wb") as output:
        started = time.monotonic()
        process = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            with TreeMemory(process.pid) as tree:
                _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        wall_s = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        end = log.read_text(errors="replace").splitlines()[-_LOG_LINES_SHOWN:]
        raise BenchmarkError(
            "\n".join([f"Exit code {process.returncode} from: {' '.join(command)}", *end])
        )
    peak_bytes = usage.ru_maxrss * _MAXRSS_UNIT_BYTES
    return Sample(wall_s=wall_s, peak_bytes=peak_bytes, tree_peak_bytes=tree.peak_bytes)


def environment() -> dict[str, str]:
    """This process's environment, the venv's commands first, and no search for a cloud."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "NO_GCE_CHECK": "true"}

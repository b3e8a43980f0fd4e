"""Runs trials: one after the other in this process, or several at once in processes of their own.

KerasTuner has a protocol of its own for parallel trials. It is not used: a worker that dies leaves
its trial unfinished and its chief waiting forever.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from components import errors, interruption, progress
from components.errors import Interrupted, NodeFailed
from components.progress import Value
from components.training.tuning.trial import Outcome, Task, run_trial

_PROJECT = Path(__file__).parents[3]
_STOP_S = 60.0
_POLL_S = 0.2

# What a trial reports while it runs, by its slot.
OnReport = Callable[[int, dict[str, Value]], None]


class Runner(Protocol):
    """Runs at most one trial in each of its slots."""

    def __enter__(self) -> Runner:
        """Gets ready."""

    def __exit__(self, *error: Any) -> None:
        """Ends all that runs."""

    def start(self, slot: int, task: Task) -> None:
        """Begins a trial."""

    def wait(self) -> tuple[int, Outcome]:
        """The next trial that ends: its slot, and how it went.

        Raises:
            WaybillError: the search cannot go on.
            Interrupted: it was asked to stop; all trials have saved.
        """


class InThisProcess:
    """Runs one trial at a time."""

    def __init__(self, on_report: OnReport) -> None:
        self._on_report = on_report
        self._waiting: list[tuple[int, Task]] = []

    def __enter__(self) -> InThisProcess:
        """See `Runner`."""
        return self

    def __exit__(self, *error: object) -> None:
        """See `Runner`."""

    def start(self, slot: int, task: Task) -> None:
        """See `Runner`; it runs when it is waited for."""
        self._waiting.append((slot, task))

    def wait(self) -> tuple[int, Outcome]:
        """See `Runner`."""
        slot, task = self._waiting.pop(0)
        with progress.capture(lambda node, values: self._on_report(slot, values)):
            return slot, run_trial(task)


class InProcesses:
    """Runs each slot in a process of its own, which ends with this one however it ends."""

    def __init__(self, count: int, on_report: OnReport) -> None:
        self._count = count
        self._on_report = on_report
        self._messages: queue.Queue[tuple[int, subprocess.Popen[str], dict[str, Any] | None]] = (
            queue.Queue()
        )
        self._processes: dict[int, subprocess.Popen[str]] = {}
        self._busy: set[int] = set()

    def __enter__(self) -> InProcesses:
        """See `Runner`; a process starts with its first trial."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """See `Runner`."""
        for process in self._processes.values():
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()

    def start(self, slot: int, task: Task) -> None:
        """See `Runner`."""
        process = self._processes.get(slot)
        if process is None:
            process = self._processes[slot] = self._spawn(slot)
        self._busy.add(slot)
        _send(process, {"task": task.to_json()})

    def wait(self) -> tuple[int, Outcome]:
        """See `Runner`."""
        stop_by = None
        while True:
            if interruption.is_requested() and stop_by is None:
                stop_by = time.monotonic() + _STOP_S
                for slot in self._busy:
                    _send(self._processes[slot], {"stop": True})
            try:
                slot, process, message = self._messages.get(timeout=_POLL_S)
            except queue.Empty:
                if stop_by is not None and time.monotonic() > stop_by:
                    raise Interrupted("Tuner: stopped; a trial did not save in time.") from None
                continue
            outcome = self._take(slot, process, message)
            if stop_by is not None and not self._busy:
                raise Interrupted("Tuner: stopped, and saved all trials.")
            if outcome is not None and stop_by is None:
                return slot, outcome

    def _take(
        self, slot: int, process: subprocess.Popen[str], message: dict[str, Any] | None
    ) -> Outcome | None:
        """What a message says about the end of a trial; None if that has not come."""
        if message is None:
            # The process ended; between two trials that is of no matter.
            if self._processes.get(slot) is process:
                del self._processes[slot]
            if slot not in self._busy:
                return None
            self._busy.remove(slot)
            return Outcome("crashed", message=f"its process {_ending(process.wait())}")
        if "report" in message:
            self._on_report(slot, message["report"])
            return None
        self._busy.discard(slot)
        if "error" in message:
            if message["error"] == Interrupted.__name__:
                return None
            raise getattr(errors, message["error"], NodeFailed)(message["message"])
        return Outcome(**message["outcome"])

    def _spawn(self, slot: int) -> subprocess.Popen[str]:
        cores = max(1, (os.cpu_count() or 1) // self._count)
        process = subprocess.Popen(
            [sys.executable, "-m", "components.training.tuning.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path.cwd(),
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(
                    filter(None, [str(_PROJECT), os.environ.get("PYTHONPATH")])
                ),
                "TF_NUM_INTRAOP_THREADS": str(cores),
            },
        )
        threading.Thread(target=self._read, args=(slot, process), daemon=True).start()
        return process

    def _read(self, slot: int, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                self._messages.put((slot, process, json.loads(line)))
        except ValueError:
            pass  # It was killed in the middle of a line.
        self._messages.put((slot, process, None))


def _send(process: subprocess.Popen[str], message: dict[str, Any]) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
    except BrokenPipeError:
        pass  # It has ended; its reader says so.


def _ending(code: int) -> str:
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}; it may need too much memory"
    return f"ended with code {code}; the log says why"

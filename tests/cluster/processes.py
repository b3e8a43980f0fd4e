"""Processes of a cluster on this machine: started with a log, found to be ready, stopped by id."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LOCALHOST = "127.0.0.1"
_READY_S = 300.0
_STOP_S = 20.0


@dataclass
class Processes:
    """What belongs to one cluster.

    Attributes:
        folder: for logs and whatever else it writes.
    """

    folder: Path
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, command: Sequence[str], **environment: str) -> None:
        """Starts one, in a process group of its own."""
        with self.log(name).open("wb") as log:
            self._running[name] = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def log(self, name: str) -> Path:
        """What a process printed."""
        return self.folder / f"{name}.log"

    def kill(self, name: str) -> None:
        """Ends one without a chance to say goodbye, with all that it started."""
        process = self._running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """Ends all."""
        for process in reversed(self._running.values()):
            process.terminate()
        for process in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=_STOP_S)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._running.clear()

    def wait(self, what: str, is_ready: Callable[[], bool]) -> None:
        """Waits for something; fails with the last log lines when a process ends before."""
        deadline = time.monotonic() + _READY_S
        while not is_ready():
            dead = [name for name, process in self._running.items() if process.poll() is not None]
            if dead or time.monotonic() > deadline:
                names = dead or list(self._running)
                tails = "\n".join(
                    self.log(name).read_text(errors="replace")[-2000:] for name in names
                )
                raise RuntimeError(f"{what} did not come: {names}\n{tails}")
            time.sleep(0.5)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Processes]:
    """Processes that end with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    processes = Processes(folder)
    try:
        yield processes
    finally:
        processes.stop()

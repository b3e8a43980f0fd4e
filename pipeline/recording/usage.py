"""Measures what a node uses: time, processor and memory, of the whole process and its children."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import psutil

_INTERVAL_S = 0.2


@dataclass
class Usage:
    """What was used while a node ran. Nodes of one process cannot be told apart below.

    Attributes:
        node: its id.
        wall_s: seconds from its start to its end.
        cpu_s: processor seconds that this process, all its threads, and its children that ended
            used in that time; what a node beside it used is in it.
        peak_bytes: the most resident memory that this process and its living children were seen
            to hold in that time, looked at five times a second; shared pages count once for each,
            and what earlier nodes left behind is in it.
        alongside: the nodes that ran at the same time.
    """

    node: str
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0
    alongside: set[str] = field(default_factory=set)


class Meter:
    """Measures any number of nodes at once with one thread, which ends with the last of them."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._lock = threading.Lock()
        self._running: list[Usage] = []
        self._is_watched = False

    @contextlib.contextmanager
    def measure(self, node: str) -> Iterator[Usage]:
        """Inside, the node runs; at the end the yielded value is complete."""
        usage = Usage(node)
        self._begin(usage)
        started, cpu = time.monotonic(), _cpu_s()
        try:
            yield usage
        finally:
            usage.wall_s = time.monotonic() - started
            usage.cpu_s = _cpu_s() - cpu
            self._look()
            with self._lock:
                self._running.remove(usage)

    def _begin(self, usage: Usage) -> None:
        with self._lock:
            for other in self._running:
                other.alongside.add(usage.node)
                usage.alongside.add(other.node)
            self._running.append(usage)
            if not self._is_watched:
                self._is_watched = True
                threading.Thread(target=self._watch, name="memory", daemon=True).start()

    def _watch(self) -> None:
        while True:
            self._look()
            with self._lock:
                if not self._running:
                    self._is_watched = False
                    return
            time.sleep(_INTERVAL_S)

    def _look(self) -> None:
        num_bytes = self._resident_bytes()
        with self._lock:
            for usage in self._running:
                usage.peak_bytes = max(usage.peak_bytes, num_bytes)

    def _resident_bytes(self) -> int:
        total = 0
        with contextlib.suppress(psutil.Error):
            for process in (self._process, *self._process.children(recursive=True)):
                # A child may end between being listed and being looked at.
                with contextlib.suppress(psutil.Error):
                    total += process.memory_info().rss
        return total


# That of this process.
METER = Meter()


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system

"""Measures what a node uses: time, processor and memory, of the whole process and its children."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

_INTERVAL_S = 0.2


@dataclass
class Usage:
    """What was used while a node ran.

    Attributes:
        wall_s: seconds from its start to its end.
        cpu_s: processor seconds that this process, all its threads, and its children that ended
            used in that time.
        peak_bytes: the most resident memory that this process and its living children were seen
            to hold in that time, looked at five times a second; shared pages count once for each,
            and what earlier nodes left behind is in it.
    """

    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0


@contextlib.contextmanager
def measure() -> Iterator[Usage]:
    """Inside, a node runs; at the end the yielded value is complete."""
    usage, has_ended = Usage(), threading.Event()
    watching = threading.Thread(target=_watch, args=(usage, has_ended), name="memory", daemon=True)
    watching.start()
    started, cpu = time.monotonic(), _cpu_s()
    try:
        yield usage
    finally:
        usage.wall_s = time.monotonic() - started
        usage.cpu_s = _cpu_s() - cpu
        has_ended.set()
        watching.join()


def _watch(usage: Usage, has_ended: threading.Event) -> None:
    process = psutil.Process()
    is_last = False
    while not is_last:
        # It looks once more at the end.
        is_last = has_ended.wait(_INTERVAL_S)
        usage.peak_bytes = max(usage.peak_bytes, _resident_bytes(process))


def _resident_bytes(process: psutil.Process) -> int:
    total = 0
    with contextlib.suppress(psutil.Error):
        for item in (process, *process.children(recursive=True)):
            # A child may end between being listed and being looked at.
            with contextlib.suppress(psutil.Error):
                total += item.memory_info().rss
    return total


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system

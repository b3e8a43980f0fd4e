"""Holds a file locked while something is written that only one process may write."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import filelock

from serving.errors import ServingError


@contextlib.contextmanager
def held(path: Path, *, timeout_s: float, error: type[ServingError]) -> Iterator[None]:
    """Holds `path` locked; the system lets go of it when the process dies.

    Args:
        path: the lock's file; made if it does not exist.
        timeout_s: how long to wait for another process, in seconds.
        error: what to raise when it does not let go.
    """
    lock = filelock.FileLock(path, timeout=timeout_s)
    try:
        lock.acquire()
    except filelock.Timeout as timeout:
        raise error(
            f"Another process has held {path} for {timeout_s:g} s. Wait for it to finish, or stop "
            "it, and run the same command again."
        ) from timeout
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # what was done is done; the process's end lets go
            lock.release()

"""How much memory a process and all its descendants hold together, sampled while they live."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType

_INTERVAL_S = 0.2
_PROC = Path("/proc")


class TreeMemory:
    """Samples the resident memory of a process tree inside a `with` block.

    Pages that two processes share count twice, so the sum is an upper bound. Without `/proc`, as
    on macOS, nothing is sampled.
    """

    def __init__(self, pid: int) -> None:
        """Samples the tree under process `pid`."""
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.peak_bytes = 0

    def __enter__(self) -> TreeMemory:
        if _PROC.is_dir():
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _sample(self) -> None:
        while not self._over.is_set():
            self.peak_bytes = max(self.peak_bytes, _resident_bytes(self._pid))
            self._over.wait(_INTERVAL_S)


def _resident_bytes(pid: int) -> int:
    """The resident sets of `pid` and its descendants; 0 for processes that are gone."""
    try:
        pages = int((_PROC / str(pid) / "statm").read_text().split()[1])
        threads = [thread / "children" for thread in (_PROC / str(pid) / "task").iterdir()]
        children = " ".join(thread.read_text() for thread in threads).split()
    except OSError:
        return 0
    own = pages * os.sysconf("SC_PAGE_SIZE")
    return own + sum(_resident_bytes(int(child)) for child in children)

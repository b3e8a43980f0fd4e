"""How a running node is asked to stop, and gets the time to save what it has.

Whoever runs the nodes calls `request` (from a signal handler's thread); a node that can save
declares it with `saves_on_request` and looks at `is_requested` between two steps of its work.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

_requested = threading.Event()
_state = threading.Condition()
_saving: list[int] = []


def request(*, timeout_s: float) -> bool:
    """Asks all nodes to stop; waits for those that save until they have, or the time is over.

    Returns whether all have ended.
    """
    _requested.set()
    with _state:
        return _state.wait_for(lambda: not _saving, timeout=timeout_s)


def is_saving() -> bool:
    """Whether a node is at work that would save what it has."""
    with _state:
        return bool(_saving)


def is_requested() -> bool:
    """Whether a node should save and stop."""
    return _requested.is_set()


@contextlib.contextmanager
def saves_on_request() -> Iterator[None]:
    """Inside, the calling node looks at `is_requested` and saves soon after a request."""
    ident = threading.get_ident()
    with _state:
        _saving.append(ident)
    try:
        yield
    finally:
        with _state:
            _saving.remove(ident)
            _state.notify_all()


def clear() -> None:
    """Forgets a request, for the next run in this process."""
    _requested.clear()

"""How a running node tells the display what it is doing, without knowing the display.

A node calls `report("Trainer", step=200, loss=0.31)`; whoever runs the node may `listen`.
Without a listener a report goes to the log.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator

Value = int | float | str
Listener = Callable[[str, dict[str, Value]], None]

_listeners: list[Listener] = []
_captors: dict[int, Listener] = {}
_log = logging.getLogger(__name__)


def report(node: str, /, **values: Value) -> None:
    """Tells every listener the current values of `node`.

    Args:
        node: the node's id, such as `Trainer`.
        **values: what to show; `step` and `total` (counts), `loss`, `learning_rate`,
            `examples_per_s`, `seconds_left`, `rows`; `note` is a line of text that stays.
    """
    thread = threading.get_ident()
    captor = _captors.pop(thread, None)
    if captor is not None:
        try:
            captor(node, values)
        finally:
            _captors[thread] = captor
        return
    if not _listeners:
        _log.info("%s: %s", node, values)
    for listener in _listeners:
        listener(node, values)


@contextlib.contextmanager
def listen(listener: Listener) -> Iterator[None]:
    """Calls `listener(node, values)` for every report made inside the `with` block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@contextlib.contextmanager
def capture(captor: Listener) -> Iterator[None]:
    """Inside, what this thread reports is heard by `captor` alone, which may report in its turn."""
    thread = threading.get_ident()
    _captors[thread] = captor
    try:
        yield
    finally:
        del _captors[thread]

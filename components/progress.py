"""How a running node tells the display what it is doing, without knowing the display.

A node calls `report("Trainer", step=200, loss=0.31)`; whoever runs the node may `listen`.
Without a listener a report goes to the log.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator

Value = int | float | str
Listener = Callable[[str, dict[str, Value]], None]

_listeners: list[Listener] = []
_log = logging.getLogger(__name__)


def report(node: str, /, **values: Value) -> None:
    """Tells every listener the current values of `node`.

    Args:
        node: the node's id, such as `Trainer`.
        **values: what to show; `step` and `total` (counts), `loss`, `examples_per_s`, `rows`.
    """
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

"""A process that trains for another: it answers line by line, and its own output goes elsewhere."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Mapping
from typing import Any

Say = Callable[[Mapping[str, Any]], None]


def open_answers() -> Say:
    """Makes this process a child; returns what writes a message, one JSON object a line.

    Messages go to what was standard output. What libraries print must not get between them: it
    goes to standard error from now on.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # A Ctrl-C reaches the whole group; whoever is in charge decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def say(message: Mapping[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    return say

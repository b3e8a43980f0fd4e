"""Keeps the chatter of TensorFlow, absl, Beam and TFX out of the terminal, in a log file."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import absl.logging
from rich.console import Console


@contextlib.contextmanager
def capture(log: Path, *, is_verbose: bool) -> Iterator[Console]:
    """Sends everything that is written to the process's output to `log`.

    File descriptors are redirected, since the C++ libraries know nothing of sys.stderr.

    Args:
        log: the file; its folder is made.
        is_verbose: leaves the chatter in the terminal, and writes no file.

    Yields:
        A console that still writes to the terminal.
    """
    if is_verbose:
        absl.logging.set_verbosity(absl.logging.INFO)
        yield Console()
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = {number: os.dup(number) for number in (1, 2)}
    with log.open("ab", buffering=0) as target, os.fdopen(os.dup(1), "w") as terminal:
        for number in saved:
            os.dup2(target.fileno(), number)
        try:
            yield Console(file=terminal)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, original in saved.items():
                os.dup2(original, number)
                os.close(original)

"""Every error a user can meet, and the exit code it ends the process with.

    WaybillError                  what went wrong, where, the value, the fix
    ├── ConfigError          2    a flag, the configuration or a path is wrong
    ├── DataRejected         3    the data broke its contract; nothing was trained
    ├── ModelNotGoodEnough   4    the model missed a threshold; nothing was pushed
    ├── ModelNotServable     5    a server could not serve the model; nothing was pushed
    ├── RootBusy             6    another run is using this root
    ├── NodeFailed           1    a node failed for a reason of its own
    └── Interrupted        130    stopped by Ctrl-C or SIGTERM; the same command continues

Only a `main()` turns an error into an exit code; everything else raises.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


class WaybillError(Exception):
    """The root of the tree: one message a user can act on, and an exit code.

    `is_transient` says that the reason may pass, so that another attempt is worth its time.
    """

    exit_code = 1
    is_transient = False


class ConfigError(WaybillError):
    """A flag, the configuration or a path is wrong."""

    exit_code = 2


class DataRejected(WaybillError):
    """The data broke its contract; `findings` lists all that was found, where rules found it."""

    exit_code = 3

    def __init__(self, message: str, *, findings: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(message)
        self.findings = findings


class ModelNotGoodEnough(WaybillError):
    """The candidate model missed a threshold."""

    exit_code = 4


class ModelNotServable(WaybillError):
    """The exported model does not load, or does not answer as it did in the pipeline."""

    exit_code = 5


class RootBusy(WaybillError):
    """Another run holds the lock of this root."""

    exit_code = 6


class NodeFailed(WaybillError):
    """A node failed for a reason of its own; the log names it."""

    exit_code = 1


class Interrupted(WaybillError):
    """The run was stopped from outside."""

    exit_code = 130


def public_name(error: WaybillError) -> str:
    """The name of the nearest class of this tree: one that a stage derived is unknown elsewhere."""
    return next(
        kind.__name__ for kind in type(error).__mro__ if kind.__module__ == WaybillError.__module__
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns ` Did you mean 'x'?` for the closest known name, or an empty string."""
    match = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {match[0]!r}?" if match else ""

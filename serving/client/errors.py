"""What a user of the client can meet, and the exit code it ends the process with.

ServingError
└── ClientError
    ├── UsageError       2    a flag or a path is wrong
    ├── RowError         3    a row of the input cannot be sent
    ├── Unreachable      4    no server answers there, or not in time
    ├── Refused          5    the server refuses the request; what it says is told
    │   └── Busy              it is busy or starting: the same request may succeed later
    └── Disagreement     6    a check of a server found something wrong
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from serving.errors import ServingError


class ClientError(ServingError):
    """The root of the tree: one message a user can act on, and an exit code."""

    exit_code = 1


class UsageError(ClientError):
    """A flag or a path is wrong."""

    exit_code = 2


class RowError(ClientError):
    """A row of the input cannot be sent."""

    exit_code = 3


class Unreachable(ClientError):
    """No server answers there, or not in time."""

    exit_code = 4


class Refused(ClientError):
    """The server refuses the request."""

    exit_code = 5


class Busy(Refused):
    """The server is busy; the same request may succeed later."""


class Disagreement(ClientError):
    """A check of a server found something wrong."""

    exit_code = 6


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns ` Did you mean 'x'?` for the closest known name, or an empty string."""
    match = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {match[0]!r}?" if match else ""

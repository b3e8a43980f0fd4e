"""Tells a failure that another attempt may mend from one that would only come again."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from components.errors import WaybillError

# Of a file system or a network: full, away, busy, interrupted. A missing file stays missing.
_ERRNOS = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.ECONNABORTED,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EDQUOT,
        errno.EHOSTUNREACH,
        errno.EINTR,
        errno.EIO,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENOMEM,
        errno.ENOSPC,
        errno.EPIPE,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
# Errors of TensorFlow, gRPC and ML Metadata, by the names that they share.
_NAMES = frozenset(
    {
        "AbortedError",
        "DeadlineExceededError",
        "ResourceExhaustedError",
        "UnavailableError",
    }
)
_LOST = ("ml_metadata.errors", "InternalError")
_CODES = frozenset({"ABORTED", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "UNAVAILABLE"})


def is_transient(error: BaseException) -> bool:
    """Whether any error in the chain of causes is one that passes by itself.

    Args:
        error: what was raised; its causes and contexts are looked at too.
    """
    return any(_is_transient(link) for link in _chain(error))


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, WaybillError):
        return error.is_transient
    if isinstance(error, ConnectionError | TimeoutError | MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno in _ERRNOS
    kinds = type(error).__mro__
    if any(kind.__name__ in _NAMES for kind in kinds):
        return True
    # What ML Metadata calls a lost connection; of a wrong query of its own, we know none.
    if any((kind.__module__, kind.__name__) == _LOST for kind in kinds):
        return True
    # A gRPC error has a method `code` that gives an enum.
    code = getattr(error, "code", None)
    if callable(code) and any(kind.__name__ == "RpcError" for kind in kinds):
        return getattr(code(), "name", "") in _CODES
    return False


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting += [link.__cause__, link.__context__]

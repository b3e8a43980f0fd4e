"""A failure is worth another attempt only if its reason may pass."""

from __future__ import annotations

import errno

import grpc
import pytest

from components.errors import NodeFailed
from pipeline.runners.beam_spark_log import PartLost
from pipeline.runners.transient import is_transient


class UnavailableError(Exception):
    """Named as TensorFlow and ML Metadata name theirs."""


class Refused(grpc.RpcError):
    def __init__(self, status: grpc.StatusCode) -> None:
        super().__init__()
        self._status = status

    def code(self) -> grpc.StatusCode:
        return self._status


def caused(by: BaseException) -> Exception:
    try:
        raise ValueError("wrapped") from by
    except ValueError as error:
        return error


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EIO, "Input/output error"),
        ConnectionResetError(),
        TimeoutError(),
        MemoryError(),
        UnavailableError(),
        Refused(grpc.StatusCode.UNAVAILABLE),
        caused(OSError(errno.ENOSPC, "No space left on device")),
        caused(PartLost("executor 1")),
    ],
    ids=repr,
)
def test_worth_another_attempt(error: BaseException):
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file"),
        PermissionError(errno.EACCES, "Permission denied"),
        ValueError("shapes (3,) and (4,)"),
        ImportError("no module"),
        Refused(grpc.StatusCode.INVALID_ARGUMENT),
        caused(KeyError("fare")),
        NodeFailed("its inputs could not be resolved"),
    ],
    ids=repr,
)
def test_would_only_come_again(error: BaseException):
    assert not is_transient(error)


def test_a_circle_of_causes_ends():
    first, second = ValueError("a"), ValueError("b")
    first.__context__, second.__context__ = second, first
    assert not is_transient(first)

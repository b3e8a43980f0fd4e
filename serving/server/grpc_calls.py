"""What all calls have in common: who is asked, how long there is time, how errors are told."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from serving.server.engine import RequestError, Target

API = "gRPC"
_Method = Callable[[Any, Any, Any], Awaitable[Any]]


def answered(method: _Method) -> _Method:
    """Wraps a method of a service: its RequestError becomes the status of the call."""

    @functools.wraps(method)
    async def wrapper(self: Any, request: Any, context: Any) -> Any:
        try:
            return await method(self, request, context)
        except RequestError as error:
            await context.abort(grpc.StatusCode[error.code], str(error))
        except Exception:
            # The reason is the server's own business; who runs it finds it in the log.
            traceback.print_exc()
            await context.abort(grpc.StatusCode.INTERNAL, "The server failed; its log says why.")

    return wrapper


def target_of(request: Any) -> Target:
    """The model and version in a request's `model_spec`.

    Raises:
        RequestError: there is none.
    """
    if not request.HasField("model_spec"):
        raise RequestError("Missing ModelSpec", "INVALID_ARGUMENT")
    return of_spec(request.model_spec)


def of_spec(spec: Any) -> Target:
    """The model and version in a ModelSpec."""
    choice = spec.WhichOneof("version_choice")
    return Target(
        spec.name,
        version=spec.version.value if choice == "version" else None,
        label=spec.version_label if choice == "version_label" else None,
    )


def seconds_left(context: Any) -> float | None:
    """Until the client's deadline; None if it has none."""
    left = context.time_remaining()
    return None if left is None else max(left, 0.001)


def write_spec(spec: Any, *, model: str, version: int, signature: str = "") -> None:
    """Says in a response who answered."""
    spec.name = model
    spec.version.value = version
    if signature:
        spec.signature_name = signature

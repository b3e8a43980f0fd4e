"""Lets in only who shows the token."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

# An orchestrator that asks whether the server lives has no token.
_OPEN = "/grpc.health.v1.Health/"
_HEADER = "authorization"


class TokenInterceptor(grpc.aio.ServerInterceptor):
    """Answers UNAUTHENTICATED to a call without the token; compares in constant time.

    Args:
        token: what has to stand in `authorization: Bearer TOKEN`.
    """

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: Any
    ) -> Any:
        """Hands on the call, or a refusal in its place.

        Args:
            continuation: gives what handles the call.
            details: the method, and the metadata of the client.
        """
        if details.method.startswith(_OPEN):
            return await continuation(details)
        found = [value for name, value in details.invocation_metadata if name == _HEADER]
        shown = found[0] if len(found) == 1 else b""
        shown = shown.encode("utf-8", "replace") if isinstance(shown, str) else shown
        if hmac.compare_digest(shown, self._expected):
            return await continuation(details)
        return grpc.unary_unary_rpc_method_handler(_refuse)


async def _refuse(request: Any, context: Any) -> None:
    await context.abort(
        grpc.StatusCode.UNAUTHENTICATED,
        "The server wants a token: send the metadata 'authorization: Bearer TOKEN'.",
    )

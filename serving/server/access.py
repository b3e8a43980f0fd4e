"""Who may ask: whoever shows the token, if there is one."""

from __future__ import annotations

import hmac
from collections.abc import Collection

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.server.errors import RequestError
from serving.server.rest_api import failure

# Models and numbers. What is not below these tells nothing about them: health, and an empty page.
_GUARDED = ("/v1", "/metrics", "/monitoring", "/page/content", "/page/card")


class TokenGuard:
    """Answers 401 to a request that does not show the token.

    Args:
        app: what the others go to.
        token: what has to stand in `Authorization: Bearer TOKEN`.
        public: the paths that need none.
    """

    def __init__(self, app: ASGIApp, *, token: str, public: Collection[str]) -> None:
        self._app = app
        self._public = frozenset(public)
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands on the request, or refuses it."""
        if scope["type"] == "http" and scope["path"] not in self._public:
            shown = Request(scope).headers.get("authorization", "").encode("latin-1")
            if not hmac.compare_digest(shown, self._expected):
                refused = failure(
                    RequestError(
                        "The server wants a token: send the header 'Authorization: Bearer TOKEN'.",
                        "UNAUTHENTICATED",
                    )
                )
                refused.headers["www-authenticate"] = "Bearer"
                refused.headers["connection"] = "close"
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)

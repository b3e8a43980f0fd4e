"""What keeps others out: headers for the browser, and a token without which nothing is changed.

Whoever opens the address that is printed at the start gets the token as a cookie that no script
reads and no other site's request carries. A form repeats a word that is made of it, so that a
request which a browser was tricked into is refused as well.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.lineage.graph.svg import STYLE

COOKIE = "waybill_token"
FIELD = "check"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

_GRAPH_STYLE = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'self' 'sha256-{_GRAPH_STYLE}'; script-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; frame-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
# For a page that an artifact brings along, or that has its own script inside: it may do nothing
# outside of itself, and has no origin.
CLOSED = (
    "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    # Without it a browser does not tell a form of ours from one of another site.
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Token:
    """The right to change labels, for as long as the server runs."""

    value: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def is_held(self, request: HTTPConnection) -> bool:
        """Whether the browser has the cookie."""
        given = request.cookies.get(COOKIE, "")
        return secrets.compare_digest(given.encode(), self.value.encode())

    def opens(self, given: str) -> bool:
        """Whether this is the token."""
        return secrets.compare_digest(given.encode(), self.value.encode())

    @property
    def check(self) -> str:
        """What a form repeats."""
        return hmac.new(self.value.encode(), b"form", hashlib.sha256).hexdigest()

    def allows(self, request: Request, check: str) -> bool:
        """Whether a request that changes something comes from one of our own forms."""
        origin = request.headers.get("origin")
        is_ours = origin is None or urlsplit(origin).netloc == request.headers.get("host")
        is_same = secrets.compare_digest(check.encode(), self.check.encode())
        return self.is_held(request) and is_same and is_ours


class Headers:
    """Adds the headers that forbid a browser everything the pages do not need."""

    def __init__(self, app: ASGIApp) -> None:
        """Wraps an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, and adds the headers to its answer."""

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("content-security-policy", _POLICY)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, add)


def hosts(host: str) -> Sequence[str]:
    """The names under which the server may be asked: another one is a rebound DNS name."""
    if host in ("0.0.0.0", "::"):
        return ["*"]
    return [*LOOPBACK, host]

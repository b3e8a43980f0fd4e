"""How a request can fail, in the terms of gRPC and of HTTP.

    ServingError
    ├── SettingsError       a flag or a file of the server's is wrong; the server does not start
    └── RequestError        one request fails; `code` is the gRPC status, `http_status` the HTTP one
        ├── Overloaded      too many requests are under way
        └── BodyTooLarge    the request is larger than the server takes

The fronts turn a `RequestError` into the answer of their protocol; nothing else catches it.
"""

from __future__ import annotations

from collections.abc import Mapping

from serving.errors import ServingError

# As TF Serving answers them over HTTP.
HTTP_STATUS: Mapping[str, int] = {
    "OK": 200,
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
    "UNAUTHENTICATED": 401,
}


class SettingsError(ServingError):
    """What the server was told cannot be done: it does not start."""


class RequestError(ServingError):
    """A request that is answered with an error.

    Attributes:
        code: the name of a gRPC status code, such as `NOT_FOUND`.
        http_status: the status of the same answer over HTTP.
    """

    def __init__(self, message: str, code: str, *, http_status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.http_status = http_status or HTTP_STATUS[code]


class Overloaded(RequestError):
    """The server has as many requests under way as it takes; the caller may try again."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "RESOURCE_EXHAUSTED", http_status=503)


class BodyTooLarge(RequestError):
    """The body of a request is larger than the server takes."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "RESOURCE_EXHAUSTED", http_status=413)

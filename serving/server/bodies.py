"""Reads the body of an HTTP request, up to a size and within a time."""

from __future__ import annotations

import asyncio
import zlib

from starlette.requests import Request

from serving.server.errors import BodyTooLarge, RequestError

_GZIP = 16 + zlib.MAX_WBITS


async def read(request: Request, *, max_bytes: int, timeout_s: float) -> bytes:
    """The body, unpacked if it came as gzip.

    Args:
        request: whose body was not read yet.
        max_bytes: of the body, packed and unpacked.
        timeout_s: how long the client may take.

    Raises:
        BodyTooLarge: it has more bytes.
        RequestError: it comes too slowly, or its encoding is none that is read.
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise _too_large(max_bytes)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.stream():
                size += len(chunk)
                if size > max_bytes:
                    raise _too_large(max_bytes)
                chunks.append(chunk)
    except TimeoutError as error:
        raise RequestError(
            f"The body did not arrive within {timeout_s:g} s.", "DEADLINE_EXCEEDED"
        ) from error
    body = b"".join(chunks)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "gzip":
        return _unpack(body, max_bytes)
    if encoding not in ("identity", ""):
        raise RequestError(
            f"Content-Encoding is {encoding[:40]!r}, expected gzip or none.",
            "INVALID_ARGUMENT",
            http_status=415,
        )
    return body


def _unpack(body: bytes, max_bytes: int) -> bytes:
    unpacking = zlib.decompressobj(_GZIP)
    try:
        unpacked = unpacking.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise RequestError(
            f"The body is no gzip, as Content-Encoding says: {error}", "INVALID_ARGUMENT"
        ) from error
    if len(unpacked) > max_bytes:
        raise _too_large(max_bytes)
    if not unpacking.eof:
        raise RequestError("The body's gzip is cut off.", "INVALID_ARGUMENT")
    return unpacked


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"The body has more than {max_bytes:,} bytes. Send fewer rows at once, or start the server "
        "with a larger --max-body-mb."
    )

"""Asks a server, by TF Serving's REST API, whether it has loaded a version."""

from __future__ import annotations

import time
import urllib.parse
from pathlib import Path
from typing import Any

from serving.errors import LabelError, NotLoaded

TIMEOUT_S = 60.0
_CALL_S = 5.0
_EVERY_S = 0.2
_LOADING = ("START", "LOADING")


def check_url(server: str) -> str:
    """A server's address without a slash at its end.

    Raises:
        ValueError: it is none.
    """
    parts = urllib.parse.urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise ValueError(
            f"{server!r} is no address of a server, expected one like http://127.0.0.1:8501"
        )
    return server.rstrip("/")


def wait_until_available(
    server: str,
    model: str,
    number: int,
    *,
    label: str | None = None,
    token_file: Path | None = None,
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Returns once the server says that the version is AVAILABLE, or that a label is on it.

    Args:
        server: its REST address, such as http://127.0.0.1:8501.
        model: what it knows the model by.
        number: the version.
        label: asks for the version that this label is on, instead of for the version.
        token_file: holds the bearer token, if the server wants one.
        timeout_s: how long the loading may take, in seconds.

    Raises:
        NotLoaded: it does not answer, cannot load the version, or takes longer.
    """
    import httpx

    asked = f"versions/{number}" if label is None else f"labels/{label}"
    url = f"{server}/v1/models/{urllib.parse.quote(model, safe='')}/{asked}"
    headers = {"Authorization": f"Bearer {_token(token_file)}"} if token_file else {}
    deadline = time.monotonic() + timeout_s
    said, was_reached, was_loading = "", False, False
    with httpx.Client(headers=headers, timeout=_CALL_S) as client:
        while True:
            try:
                answer = client.get(url)
                was_reached = True
                found, state, said = _state(answer)
            except httpx.TransportError as error:
                found, state, said = "", "", f"it does not answer ({error or type(error).__name__})"
            if state == "AVAILABLE" and found == str(number):
                return
            was_loading = was_loading or state in _LOADING
            has_failed = not was_reached or (was_loading and state == "END" and label is None)
            if has_failed or time.monotonic() > deadline:
                raise NotLoaded(
                    f"{server} has not loaded version {number} of {model}: {said}. See to the "
                    "server, and run it again; or leave the server out."
                    if label is None
                    else f"{server} has not moved '{label}' of {model} to version {number}: {said}."
                )
            time.sleep(_EVERY_S)


def _state(answer: Any) -> tuple[str, str, str]:
    """Which version it is about, its state, and a sentence about it."""
    try:
        document = answer.json()
        status = document["model_version_status"][0]
        version, state = str(status["version"]), str(status["state"])
        message = str(status.get("status", {}).get("error_message", ""))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return "", "", f"it answers {answer.status_code} {answer.text[:200]!r}"
    return version, state, f"version {version} is {state}" + (f", {message}" if message else "")


def _token(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise LabelError(f"Cannot read the token in {path}: {error}.") from error

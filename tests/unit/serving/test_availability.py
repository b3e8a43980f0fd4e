"""Waiting for a server to load a version, against a real HTTP server."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.availability import check_url, wait_until_available
from serving.errors import LabelError, NotLoaded


class Server(http.server.ThreadingHTTPServer):
    """Answers each call with the next of its answers, the last again and again."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Any] = []
        self.asked: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        answers = self.server.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(404 if isinstance(answer, str) else 200)
        self.end_headers()
        self.wfile.write(
            json.dumps({"error": answer} if isinstance(answer, str) else answer).encode()
        )

    def log_message(self, *_: object) -> None:
        pass


def status(state: str, message: str = "", version: str = "3") -> dict[str, Any]:
    told = {"error_code": "OK", "error_message": message}
    return {"model_version_status": [{"version": version, "state": state, "status": told}]}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_version_is_waited_for_through_all_states(server: Server, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    stale = status("END", "unloaded an hour ago")
    server.answers = ["no such version", stale, status("LOADING"), status("AVAILABLE")]
    wait_until_available(server.url, "my model", 3, token_file=token)
    assert server.asked == [("/v1/models/my%20model/versions/3", "Bearer secret")] * 4


def test_label_is_waited_for_until_it_is_on_the_version(server: Server) -> None:
    server.answers = [status("AVAILABLE", version="4"), status("AVAILABLE")]
    wait_until_available(server.url, "taxi", 3, label="stable")
    assert server.asked == [("/v1/models/taxi/labels/stable", None)] * 2
    server.answers = [status("AVAILABLE", version="4")]
    with pytest.raises(
        NotLoaded, match="has not moved 'stable' of taxi to version 3: version 4 is"
    ):
        wait_until_available(server.url, "taxi", 3, label="stable", timeout_s=0.3)


@pytest.mark.parametrize(
    ("answers", "timeout_s", "expected"),
    [
        (
            [status("LOADING"), status("END", "out of memory")],
            60,
            "version 3 is END, out of memory",
        ),
        ([status("LOADING")], 0.3, "version 3 is LOADING"),
        (["not found"], 0.3, "it answers 404"),
        ([[1]], 0.3, r"it answers 200 '\[1\]'"),
    ],
)
def test_version_that_is_not_loaded_is_named(
    server: Server, answers: list[Any], timeout_s: float, expected: str
) -> None:
    server.answers = answers
    with pytest.raises(NotLoaded, match=f"has not loaded version 3 of taxi: {expected}"):
        wait_until_available(server.url, "taxi", 3, timeout_s=timeout_s)


def test_server_that_is_not_there_is_not_waited_for() -> None:
    with Server() as closed:
        url = closed.url
    with pytest.raises(NotLoaded, match="it does not answer"):
        wait_until_available(url, "taxi", 3, timeout_s=3600)


def test_token_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=f"Cannot read the token in {tmp_path}"):
        wait_until_available("http://127.0.0.1:1", "taxi", 3, token_file=tmp_path)


@pytest.mark.parametrize("url", ["localhost:8501", "grpc://a:1", "http://", "http://me:pw@host"])
def test_address_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is no address of a server"):
        check_url(url)


def test_address_is_taken_without_its_last_slash() -> None:
    assert check_url("https://models.example/tf/") == "https://models.example/tf"

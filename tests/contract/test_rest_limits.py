"""What the embedded server does not take, and what it tells whoever looks after it."""

from __future__ import annotations

import concurrent.futures
import gzip
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.contract import certificates, served_models
from tests.contract.served_models import MODEL
from tests.contract.servers import PROJECT, Server, running

PREDICT = f"/v1/models/{MODEL}:predict"
SLOW = "slow"
BODY = json.dumps({"instances": [{"b64": ""}]})


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return served_models.serving_folder(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def slow_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes as many steps as it is told, 2**30 are minutes."""
    import tensorflow as tf

    base = tmp_path_factory.mktemp("slow") / SLOW

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.int32, "steps")])
    def loop(steps: tf.Tensor) -> dict[str, tf.Tensor]:
        # Each step draws a number, so that no optimizer finds the end of the loop by itself.
        body = lambda i, x: (i + 1, x + tf.random.uniform([]))  # noqa: E731
        _, found = tf.while_loop(lambda i, _: i < tf.reduce_max(steps), body, (0, 0.0))
        return {"found": found + tf.cast(steps, tf.float32)}

    module = tf.Module()
    module.loop = loop
    tf.saved_model.save(module, str(base / "1"), signatures={"serving_default": loop})
    return base


@pytest.fixture(scope="module")
def small(serving: Path, slow_model: Path) -> Iterator[Server]:
    """Takes little: two requests at once, bodies of 1 MB, half a second."""
    flags = ["--model", f"{MODEL}={serving / MODEL}", "--model", f"{SLOW}={slow_model}"]
    flags += ["--max-in-flight", "2", "--max-body-mb", "1", "--deadline", "0.7", "--workers", "4"]
    with running(serving, *flags) as server:
        yield server


def ask(server: Server, path: str = PREDICT, body: Any = BODY, **more: Any) -> requests.Response:
    return requests.post(server.rest + path, data=body, timeout=30, **more)


def test_a_body_that_is_too_large_is_refused_before_it_is_read(small: Server) -> None:
    response = ask(small, body=b" " * (2 << 20))
    assert response.status_code == 413
    assert "more than 1,048,576 bytes" in response.json()["error"]
    assert ask(small).status_code == 200


def test_a_body_of_unknown_length_that_gets_too_large_is_refused(small: Server) -> None:
    response = ask(small, body=iter([b" " * (1 << 19)] * 4))
    assert response.status_code == 413


def test_a_body_that_unpacks_to_too_much_is_refused_without_unpacking_it(small: Server) -> None:
    bomb = gzip.compress(bytes(400 << 20), 1)
    before = peak_bytes(small)
    response = ask(small, body=bomb[: 1 << 20], headers={"content-encoding": "gzip"})
    assert response.status_code == 413
    assert peak_bytes(small) - before < 100 << 20


def peak_bytes(server: Server) -> int:
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise AssertionError("no VmHWM")


@pytest.mark.parametrize(
    ("encoding", "body", "status"), [("gzip", b"text", 400), ("br", b"{}", 415)]
)
def test_an_encoding_that_is_none_is_refused(
    small: Server, encoding: str, body: bytes, status: int
) -> None:
    response = ask(small, body=body, headers={"content-encoding": encoding})
    assert response.status_code == status
    assert "Content-Encoding" in response.json()["error"]


def test_a_model_that_takes_too_long_is_given_up(small: Server) -> None:
    response = ask(small, f"/v1/models/{SLOW}:predict", json.dumps({"instances": [2**30]}))
    assert response.status_code == 504
    assert "within 0.7 s" in response.json()["error"] or "eadline" in response.json()["error"]
    assert ask(small, f"/v1/models/{SLOW}:predict", '{"instances": [3]}').status_code == 200


def test_a_body_that_does_not_arrive_is_not_waited_for(small: Server) -> None:
    host, port = small.rest.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as client:
        client.sendall(
            f"POST {PREDICT} HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{{".encode()
        )
        answer = ""
        while "}" not in answer:
            answer += client.recv(65536).decode()
    assert answer.startswith("HTTP/1.1 504 ")
    assert "The body did not arrive within 0.7 s" in answer


def test_more_requests_than_may_be_are_turned_away_and_none_hangs(small: Server) -> None:
    body = json.dumps({"instances": [2**30]})
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(
            pool.map(lambda _: ask(small, f"/v1/models/{SLOW}:predict", body), range(12))
        )
    found = sorted({answer.status_code for answer in answers})
    assert found == [503, 504]
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.headers["retry-after"] == "1"
    assert "2 requests are under way" in refused.json()["error"]
    assert ask(small).status_code == 200
    assert "waybill_in_flight 0.0" in requests.get(f"{small.rest}/metrics", timeout=30).text


def test_a_client_that_goes_away_leaves_nothing_behind(small: Server) -> None:
    host, port = small.rest.removeprefix("http://").split(":")
    for _ in range(20):
        with socket.create_connection((host, int(port)), timeout=30) as client:
            client.sendall(
                f"POST {PREDICT} HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{{".encode()
            )
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if "waybill_in_flight 0.0" in requests.get(f"{small.rest}/metrics", timeout=30).text:
            break
        time.sleep(0.1)
    assert ask(small).status_code == 200
    assert not any("Traceback" in line for line in small.lines)


def test_models_that_nobody_serves_are_not_counted_by_name(small: Server) -> None:
    for number in range(20):
        assert ask(small, f"/v1/models/none-{number}:predict").status_code == 404
    text = requests.get(f"{small.rest}/metrics", timeout=30).text
    assert "none-" not in text
    assert 'code="NOT_FOUND",method="predict",model="",version=""' in text


def test_a_path_that_is_nowhere_is_not_found(small: Server) -> None:
    response = requests.get(f"{small.rest}/none", timeout=30)
    assert response.status_code == 404
    assert response.json() == {"error": "Not Found: GET /none"}


def test_a_server_without_a_model_lives_but_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "serving").mkdir()
    process, url = started(tmp_path / "serving")
    try:
        assert requests.get(f"{url}/healthz", timeout=30).text == "ok\n"
        response = requests.get(f"{url}/readyz", timeout=30)
        assert response.status_code == 503
        assert "there is no model in" in response.text
    finally:
        process.terminate()
        assert process.wait(30) == 0


def started(serving: Path, *flags: str) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "serving.server", "--serving", str(serving)),
            *("--rest-port", "0", "--grpc-port", "-1", *flags),
        ],
        cwd=PROJECT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"REST and a page on (\S+)", line):
            # Somebody has to read on, or the server waits for its own words to be read.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process, found[1]
    raise AssertionError("the server ended")


def test_requests_under_way_are_answered_before_the_server_ends(slow_model: Path) -> None:
    process, url = started(slow_model.parent)
    while requests.get(f"{url}/readyz", timeout=30).status_code != 200:
        time.sleep(0.05)
    path = f"{url}/v1/models/{SLOW}:predict"
    # As many steps as take about two seconds here.
    steps, seconds = 1000, 0.0
    while seconds < 1:
        steps *= 4
        began = time.monotonic()
        requests.post(path, data=json.dumps({"instances": [steps]}), timeout=60)
        seconds = time.monotonic() - began
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        body = json.dumps({"instances": [steps]})
        answers = [pool.submit(requests.post, path, data=body, timeout=60) for _ in range(3)]
        while "waybill_in_flight 3.0" not in requests.get(f"{url}/metrics", timeout=30).text:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert [answer.result().status_code for answer in answers] == [200] * 3
    assert process.wait(30) == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/healthz", timeout=5)


@pytest.mark.parametrize("how", ["file", "environment"])
def test_a_token_is_asked_for(serving: Path, tmp_path: Path, how: str) -> None:
    secret = "s3cret-token"
    (tmp_path / "token").write_text(secret + "\n")
    flags = ["--token-file", str(tmp_path / "token")] if how == "file" else []
    env = {"WAYBILL_SERVING_TOKEN": secret} if how == "environment" else {}
    with running(serving, *flags, env=env) as server:
        for shown in ({}, {"authorization": "Bearer none"}, {"authorization": secret}):
            for path in (f"/v1/models/{MODEL}", "/metrics", "/page/content", "/none"):
                response = requests.get(server.rest + path, headers=shown, timeout=30)
                assert response.status_code == 401
                assert response.headers["www-authenticate"] == "Bearer"
                assert MODEL not in response.text
            assert ask(server, headers=shown).status_code == 401
        assert ask(server, headers={"authorization": f"Bearer {secret}"}).status_code == 200
        for path in ("/healthz", "/readyz"):
            assert requests.get(server.rest + path, timeout=30).status_code == 200
        assert not any(secret in line for line in server.lines)


def test_a_certificate_encrypts_and_an_idle_client_does_not_keep_the_server(
    serving: Path, tmp_path: Path
) -> None:
    certificate, key = certificates.write(tmp_path)
    flags = ["--tls-cert", str(certificate), "--tls-key", str(key)]
    with requests.Session() as session, running(serving, *flags) as server:
        assert server.rest.startswith("https://")
        asked = session.post(server.rest + PREDICT, data=BODY, verify=str(certificate), timeout=30)
        assert asked.status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{server.rest}/healthz", timeout=30)
    assert server.process.returncode == 0


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--canary", "taxi"], "not of the form MODEL=LABEL:PERCENT"),
        (["--host", "192.0.2.1"], "Cannot listen on 192.0.2.1:0: Cannot assign requested address"),
    ],
)
def test_what_cannot_be_done_ends_the_server_with_a_sentence(
    tmp_path: Path, flags: list[str], expected: str
) -> None:
    failed_start(tmp_path, "--rest-port", "0", *flags, expected=expected)


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        expected = f"Cannot listen on 127.0.0.1:{port}: Address already in use"
        failed_start(tmp_path, "--rest-port", port, expected=expected)


def failed_start(serving: Path, *flags: str, expected: str) -> None:
    command = [sys.executable, "-m", "serving.server", "--serving", str(serving)]
    done = subprocess.run(
        [*command, "--grpc-port", "-1", *flags],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr

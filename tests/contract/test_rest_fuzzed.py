"""Whatever is sent to the embedded server, it answers in words, and stays as it was."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract import served_models
from tests.contract.served_models import MODEL
from tests.contract.servers import Server, running

NUM_BODIES = 300
# What the process may grow by under them, with its caches and the allocator's leftovers.
MAX_GROWTH_BYTES = 60 << 20
FINE = {"instances": [{"b64": ""}]}
EXPECTED = {200, 400, 404, 413, 415, 501}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    serving = served_models.serving_folder(tmp_path_factory.getbasetemp())
    with running(serving, "--max-body-mb", "1", "--log", str(serving.parent / "fuzzed")) as server:
        with requests.Session() as session:
            url = f"{server.rest}/v1/models/{MODEL}:predict"
            for _ in range(200):
                assert session.post(url, json=FINE, timeout=30).status_code == 200
        yield server


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def resident_bytes(server: Server) -> int:
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise AssertionError("no VmRSS")


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=20).map(lambda data: {"b64": base64.b64encode(data).decode()}),
)
names = st.one_of(
    st.sampled_from(["examples", "inputs", "fare", "payment", "num_stops", "speeds", "photo"]),
    st.text(max_size=10),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=6)),
    max_leaves=20,
)
column = st.one_of(
    st.lists(st.floats(), max_size=3),
    st.lists(st.integers(), max_size=3),
    st.lists(st.text(max_size=5), max_size=3),
    values,
)
documents = st.fixed_dictionaries(
    {},
    optional={
        "signature_name": st.one_of(
            st.sampled_from(["serving_default", "serving_raw", "classify", "regress", ""]), leaves
        ),
        "instances": values,
        "inputs": st.one_of(values, st.dictionaries(names, column, max_size=9)),
        "examples": st.one_of(values, st.lists(st.dictionaries(names, values, max_size=4))),
        "context": values,
    },
)
bodies = st.one_of(
    documents.map(lambda document: json.dumps(document).encode()),
    values.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=200),
)
paths = st.one_of(
    st.sampled_from(
        [
            f"/v1/models/{MODEL}{which}:{method}"
            for which in ("", "/versions/1", "/labels/canary", "/versions/7", "/labels/x")
            for method in ("predict", "classify", "regress")
        ]
    ),
    st.text(st.characters(codec="utf-8"), max_size=30).map(lambda text: f"/v1/models/{text}"),
)


def check(response: requests.Response) -> None:
    assert response.status_code in EXPECTED, response.text
    document = json.loads(response.content)
    assert isinstance(document, dict)
    if response.status_code != 200:
        assert list(document) == ["error"]
        assert 0 < len(document["error"]) < 3000


def test_no_body_breaks_the_server(server: Server, session: requests.Session) -> None:
    before = resident_bytes(server)

    @settings(
        max_examples=NUM_BODIES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(paths, bodies, st.sampled_from([None, "gzip"]))
    def ask(path: str, body: bytes, encoding: str | None) -> None:
        headers = {"content-encoding": encoding} if encoding else {}
        check(session.post(server.rest + path, data=body, headers=headers, timeout=30))

    ask()
    fine = session.post(f"{server.rest}/v1/models/{MODEL}:predict", json=FINE, timeout=30)
    assert fine.status_code == 200
    assert server.process.poll() is None
    assert resident_bytes(server) - before < MAX_GROWTH_BYTES
    assert not any("Traceback" in line for line in server.lines)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 900_000,
        b'{"instances": ' + b"[" * 400_000 + b"]" * 400_000 + b"}",
        b'{"instances": [' + b"1," * 400_000 + b"1]}",
        b'{"inputs": {"b64": "' + b"A" * 900_000 + b'"}}',
        b'{"a": ' + b"9" * 900_000 + b"}",
        json.dumps({str(i): i for i in range(60_000)}).encode(),
        json.dumps({"instances": [FINE] * 20_000}).encode(),
        json.dumps({"examples": [{f"f{i}": [1.5] * 100} for i in range(500)]}).encode(),
    ],
)
def test_no_large_body_takes_the_memory_for_good(
    server: Server, session: requests.Session, body: bytes
) -> None:
    def ask(count: int) -> None:
        for method in ("predict", "classify"):
            for _ in range(count):
                check(
                    session.post(f"{server.rest}/v1/models/{MODEL}:{method}", data=body, timeout=60)
                )

    ask(2)
    before = resident_bytes(server)
    ask(8)
    assert resident_bytes(server) - before < MAX_GROWTH_BYTES


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/9\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"POST /v1/models/x:predict HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/models/x:predict HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET /v1/models/%ff%fe HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET /v1/models/\xff\xfe HTTP/1.1\r\nhost: a\r\n\r\n",
    ],
)
def test_what_is_hardly_http_does_not_end_the_server(server: Server, raw: bytes) -> None:
    import socket

    host, port = server.rest.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as client:
        client.sendall(raw)
        client.shutdown(socket.SHUT_WR)
        answer = client.recv(65536)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 404 "))
    assert requests.get(f"{server.rest}/healthz", timeout=30).status_code == 200
    assert not any("Traceback" in line for line in server.lines)


def test_metadata_of_anything_is_answered(server: Server, session: requests.Session) -> None:
    found: list[Any] = []
    for path in ("", "/metadata", "/versions/1", "/versions/1/metadata", "/labels/x", ":predict"):
        response = session.get(f"{server.rest}/v1/models/{MODEL}{path}", timeout=30)
        check(response)
        found.append(response.status_code)
    assert found == [200, 200, 200, 200, 400, 400]

"""Servers for tests: the embedded one, and TF Serving's own where it is on the PATH."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from serving.labels import ServedModel, read_config
from tests.ports import free_port

PROJECT = Path(__file__).parents[2]
EMBEDDED = "embedded"
TENSORFLOW = "tensorflow_model_server"
# What a contract test has to hold for.
KINDS = [EMBEDDED, *([TENSORFLOW] if shutil.which(TENSORFLOW) else [])]
_START_S = 60


@dataclasses.dataclass
class Server:
    """A running server.

    Attributes:
        kind: `embedded` or `tensorflow_model_server`.
        process: which ends it.
        rest: such as `http://127.0.0.1:8501`.
        grpc: such as `127.0.0.1:8500`.
        lines: what it says, a line each.
    """

    kind: str
    process: subprocess.Popen[str]
    rest: str = ""
    grpc: str = ""
    lines: list[str] = dataclasses.field(default_factory=list)


@contextlib.contextmanager
def running(
    serving: Path, *flags: str, kind: str = EMBEDDED, env: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Starts a server on free ports, waits until it is ready, and ends it.

    Args:
        serving: the serving folder, with a `models.config`.
        flags: more flags for the command.
        kind: which server.
        env: variables of its environment, beside those of the test.
    """
    command = _embedded(serving) if kind == EMBEDDED else _tensorflow(serving)
    process = subprocess.Popen(
        [*command, *flags],
        cwd=PROJECT,
        env={**os.environ, **(env or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    server = Server(kind, process)
    reader = threading.Thread(target=_read, args=(server,), daemon=True)
    reader.start()
    try:
        if kind == TENSORFLOW:
            ports = [flag.partition("=")[2] for flag in command if "port=" in flag]
            server.grpc, server.rest = (f"127.0.0.1:{port}" for port in ports)
            server.rest = f"http://{server.rest}"
        _wait(server, read_config(serving / "models.config"))
        yield server
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(5)


def _embedded(serving: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "serving.server", "--serving", str(serving)),
        *("--rest-port", "0", "--grpc-port", "0", "--poll", "0.2"),
    ]


def _tensorflow(serving: Path) -> list[str]:
    return [
        TENSORFLOW,
        f"--port={free_port()}",
        f"--rest_api_port={free_port()}",
        f"--model_config_file={serving / 'models.config'}",
        "--model_config_file_poll_wait_seconds=1",
        "--allow_version_labels_for_unavailable_models=true",
    ]


def _read(server: Server) -> None:
    assert server.process.stderr is not None
    for line in server.process.stderr:
        server.lines.append(line.rstrip())
        if found := re.search(r"REST and a page on (\S+)", line):
            server.rest = found[1]
        elif found := re.search(r"gRPC on (\S+)", line):
            server.grpc = found[1]


def _wait(server: Server, models: Mapping[str, ServedModel]) -> None:
    """Until every version that `models.config` names answers."""
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        assert server.process.poll() is None, "\n".join(server.lines)
        if server.rest and server.grpc and _is_ready(server, models):
            return
        time.sleep(0.05)
    raise AssertionError("the server did not start: " + "\n".join(server.lines))


def _is_ready(server: Server, models: Mapping[str, ServedModel]) -> bool:
    if server.kind == EMBEDDED:
        loaded = sum("is available" in line for line in server.lines)
        return loaded >= sum(len(model.versions) for model in models.values())
    try:
        return all(
            urllib.request.urlopen(f"{server.rest}/v1/models/{name}", timeout=5).status == 200
            for name in models
        )
    except (urllib.error.URLError, OSError):
        return False

"""Measures the embedded server beside bare calls of the same SavedModel in one process.

The taxi model is pushed by the pipeline. `wrk` sends it real rows as JSON to `serving_raw`; the
bare calls get the same rows as arrays. Then `wrk` goes on while `stable` is promoted and rolled
back, and every request that fails is counted.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.measure import PROJECT, BenchmarkError, environment, measure
from benchmarks.report import Table

MODEL = "taxi"
SIGNATURE = "serving_raw"
AIM = 0.5
BATCH_SIZES = (1, 8, 64, 256)
CONNECTIONS = (1, 8, 32)
_SECONDS = 8
_START_S = 60.0
_MIN_REQUESTS = 10_000
# What wrk counted, as one line of JSON.
_DONE = """
done = function(summary, latency, requests)
  io.write(string.format(
    'COUNTED {"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "failed": %d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, summary.errors.status + summary.errors.connect
      + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bare:
    """Calls of the model in one process, with as many threads as answer the most rows."""

    batch_size: int
    rows_per_s: float
    p50_ms: float
    p99_ms: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Served:
    """Requests to the server.

    Attributes:
        batch_size: rows in a request.
        connections: clients that ask without a pause.
        rows_per_s: answered.
        p50_ms: the median of a request, as the client sees it.
        p99_ms: the 99th percentile.
        num_requests: answered or not.
        num_failed: not answered with 200, connections that broke among them.
    """

    batch_size: int
    connections: int
    rows_per_s: float
    p50_ms: float
    p99_ms: float
    num_requests: int
    num_failed: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Serving:
    """All that was measured; `moves` counts promotions and rollbacks under `moved`."""

    bare: Sequence[Bare]
    served: Sequence[Served]
    moved: Served
    moves: int


def compare_serving(scratch: Path, *, say: Callable[[str], None]) -> Serving:
    """Trains and pushes a model, and asks it both ways.

    Args:
        scratch: an existing, empty directory to work in.
        say: called before each measurement with what is measured.

    Raises:
        BenchmarkError: a process failed, or `wrk` is not installed.
    """
    if shutil.which("wrk") is None:
        raise BenchmarkError("'wrk' is not on the PATH. Install it, such as with apt install wrk.")
    say("training and pushing the taxi model")
    command = [sys.executable, "-m", "pipeline.run_local", "--root", str(scratch / "root")]
    measure(command, cwd=PROJECT, log=scratch / "run.log", env=environment())
    serving = scratch / "root" / "serving"
    version = _push_again(serving)
    bare = [_bare(version, size, scratch, say) for size in BATCH_SIZES]
    with _server(serving, scratch) as url:
        served = [
            _served(f"{url}/v1/models/{MODEL}:predict", _rows(version, size), count, scratch, say)
            for size in BATCH_SIZES
            for count in CONNECTIONS
        ]
        say("promotions and rollbacks under load")
        moved, moves = _moved(serving, url, version, scratch)
    return Serving(bare=bare, served=served, moved=moved, moves=moves)


def table(found: Serving) -> Table:
    """The server beside bare calls."""
    bare = {result.batch_size: result for result in found.bare}
    rows = [
        [
            f"{result.batch_size}",
            f"{bare[result.batch_size].rows_per_s:,.0f}",
            f"{bare[result.batch_size].p50_ms:.1f}",
            f"{bare[result.batch_size].p99_ms:.1f}",
            f"{result.connections}",
            f"{result.rows_per_s:,.0f}",
            f"{result.p50_ms:.1f}",
            f"{result.p99_ms:.1f}",
            f"{result.rows_per_s / bare[result.batch_size].rows_per_s:.2f}",
            f"{result.num_failed}",
        ]
        for result in found.served
    ]
    columns = ["rows a request", "bare rows/s", "p50 ms", "p99 ms", "clients", "served rows/s"]
    columns += ["p50 ms", "p99 ms", "x bare", "failed"]
    best = max(
        result.rows_per_s / bare[result.batch_size].rows_per_s
        for result in found.served
        if result.batch_size >= 64
    )
    return Table(
        "The embedded server: JSON over HTTP, beside bare calls of the same SavedModel",
        columns,
        rows,
        [
            f"At 64 rows or more the server answers up to {best:.2f} of the bare rows; the aim is "
            f"{AIM}. wrk runs on the same machine.",
            f"While `stable` moved {found.moves} times, {found.moved.num_failed} of "
            f"{found.moved.num_requests:,} requests failed.",
        ],
    )


def _push_again(serving: Path) -> Path:
    """A second version, so that there is one to go back to; returns its folder."""
    from serving import changes
    from serving.shelves import LocalShelf

    shelf = LocalShelf(serving / MODEL)
    first = serving / MODEL / str(shelf.numbers()[-1])
    second = shelf.publish(first, key="benchmark", properties={}, extras={})
    changes.announce(shelf, second.number, label="stable")
    return serving / MODEL / str(second.number)


def _bare(version: Path, size: int, scratch: Path, say: Callable[[str], None]) -> Bare:
    say(f"bare calls with {size} row(s)")
    log = scratch / "contender.log"
    command = [sys.executable, "-m", "benchmarks.serving_contender", str(version), str(size)]
    measure(command, cwd=PROJECT, log=log, env=environment())
    found = json.loads(log.read_text(errors="replace").splitlines()[-1])
    return Bare(batch_size=size, **found)


def _served(
    url: str,
    rows: list[dict[str, Any]],
    connections: int,
    scratch: Path,
    say: Callable[[str], None],
) -> Served:
    say(f"{connections} client(s), {len(rows)} row(s) a request")
    _wrk(url, rows, connections, 1, scratch)
    return _wrk(url, rows, connections, _SECONDS, scratch)


def _moved(serving: Path, url: str, version: Path, scratch: Path) -> tuple[Served, int]:
    """Asks the label while it moves, until enough was asked."""
    seconds = 2 * _SECONDS
    rows = _rows(version, 1)
    address = f"{url}/v1/models/{MODEL}/labels/stable:predict"
    while True:
        stop = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            moving = pool.submit(_move, serving, version.name, stop)
            try:
                found = _wrk(address, rows, CONNECTIONS[-1], seconds, scratch)
            finally:
                stop.set()
            moves = moving.result()
        if found.num_requests >= _MIN_REQUESTS:
            return found, moves
        seconds *= 2


def _move(serving: Path, version: str, stop: threading.Event) -> int:
    """Rolls `stable` back and promotes it again, until told to stop; returns how often."""
    moves = 0
    while not stop.is_set():
        verb = ["promote", version] if moves % 2 else ["rollback"]
        done = subprocess.run(
            [sys.executable, "-m", "serving.models", *verb, "--serving", str(serving)],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BenchmarkError(f"serving.models {verb[0]}: {done.stderr}")
        moves += 1
    return moves


def _wrk(
    url: str, rows: list[dict[str, Any]], connections: int, seconds: int, scratch: Path
) -> Served:
    script = scratch / "request.lua"
    body = json.dumps({"signature_name": SIGNATURE, "instances": rows})
    script.write_text(f"wrk.method = 'POST'\nwrk.body = [==[{body}]==]\n{_DONE}")
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", script, url],
        capture_output=True,
        text=True,
        check=False,
    )
    counted = re.search(r"^COUNTED (.*)$", done.stdout, re.MULTILINE)
    if counted is None:
        raise BenchmarkError(f"wrk failed: {done.stdout}{done.stderr}")
    found = json.loads(counted[1])
    return Served(
        batch_size=len(rows),
        connections=connections,
        rows_per_s=(found["requests"] - found["failed"]) * len(rows) / found["seconds"],
        p50_ms=found["p50_ms"],
        p99_ms=found["p99_ms"],
        num_requests=found["requests"],
        num_failed=found["failed"],
    )


def _rows(version: Path, size: int) -> list[dict[str, Any]]:
    """The rows of the version's warm-up, again and again, as JSON has them."""
    from benchmarks.serving_contender import inputs

    columns = {
        name: [
            {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
            for value in array.tolist()
        ]
        for name, array in inputs(version, size).items()
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@contextlib.contextmanager
def _server(serving: Path, scratch: Path) -> Iterator[str]:
    log = scratch / "server.log"
    command = [sys.executable, "-m", "serving.server", "--serving", str(serving)]
    command += ["--rest-port", "0", "--grpc-port", "-1"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=PROJECT, env=environment(), stdout=output, stderr=output
        )
        try:
            yield _address(process, log)
        finally:
            process.terminate()
            process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    import httpx

    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        found = re.search(r"REST and a page on (\S+)", log.read_text(errors="replace"))
        if found and httpx.get(f"{found[1]}/readyz").status_code == 200:
            return found[1]
        time.sleep(0.1)
    raise BenchmarkError(f"The server did not start:\n{log.read_text(errors='replace')}")

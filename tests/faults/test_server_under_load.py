"""The embedded server while versions are pushed, promoted, rolled back and half pushed.

Meanwhile clients ask. Not one request may fail, and each answer must be whole and of the version
that the server says it is of.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.contract.servers import Server, running

ROOT = Path(__file__).parents[2]
MODEL = "tiny"
# `python -m benchmarks --only serving` asks more than 10,000.
NUM_REQUESTS = 10_000
NUM_CLIENTS = 16
PATIENCE_S = 120
# The weight of a version is its number, but all that are pushed by the tests have this one.
LAST_WEIGHT = 3
# A server looks at the folder while a killed push lies there.
LOOK_S = 0.05


class Load:
    """Clients that ask one server again and again; each answer is looked at."""

    def __init__(self, server: Server, *, pause_s: float) -> None:
        self.versions: list[int] = []
        self._pause_s = pause_s
        self._url = f"{server.rest}/v1/models/{MODEL}/labels/stable:predict"
        self._is_over = False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        limits = httpx.Limits(max_connections=NUM_CLIENTS)
        async with httpx.AsyncClient(limits=limits, timeout=PATIENCE_S) as client:
            asking = [asyncio.ensure_future(self._ask(client)) for _ in range(NUM_CLIENTS)]
            yield
            self._is_over = True
            await asyncio.gather(*asking)

    async def sees(self, version: int) -> None:
        """Returns once a request that began after this was answered by `version`."""
        async with asyncio.timeout(PATIENCE_S):
            start = len(self.versions) + NUM_CLIENTS
            while version not in self.versions[start:]:
                await asyncio.sleep(0.01)

    async def _ask(self, client: httpx.AsyncClient) -> None:
        while not self._is_over:
            response = await client.post(self._url, content=b'{"instances": [1.0, 3.0]}')
            assert response.status_code == 200, response.text
            version = int(response.headers["model-version"])
            weight = min(version, LAST_WEIGHT)
            assert response.json() == {"predictions": [weight, 3.0 * weight]}
            self.versions.append(version)
            await asyncio.sleep(self._pause_s)


async def models(*verb: str, serving: Path) -> None:
    command = [sys.executable, "-m", "serving.models", *verb, "--serving", str(serving)]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    _, stderr = await process.communicate()
    assert process.returncode == 0, stderr.decode()


@pytest.fixture
def serving(tmp_path: Path) -> Path:
    """Versions 1 and 2; `stable` is 1, and was 2. Beside it, a model to push."""
    from serving import changes
    from serving.shelves import LocalShelf
    from tests.unit.serving import tiny_models

    shelf = LocalShelf(tmp_path / "serving" / MODEL)
    tiny_models.write(tmp_path / f"model-{LAST_WEIGHT}", weight=LAST_WEIGHT)
    for weight in (1, 2):
        model = tiny_models.write(tmp_path / f"model-{weight}", weight=weight)
        version = shelf.publish(model, key=f"first-{weight}", properties={}, extras={})
        changes.announce(shelf, version.number, label="stable")
    changes.roll_back(shelf, "stable")
    return tmp_path / "serving"


@pytest.mark.slow
def test_no_request_fails_while_labels_go_forth_and_back(serving: Path) -> None:
    async def run(server: Server) -> Load:
        load = Load(server, pause_s=0)
        async with load.running():
            await load.sees(1)
            while len(load.versions) < NUM_REQUESTS:
                await models("promote", "2", serving=serving)
                await load.sees(2)
                await models("rollback", serving=serving)
                await load.sees(1)
        return load

    with running(serving, "--poll", "0.02") as server:
        load = asyncio.run(run(server))
    assert len(load.versions) >= NUM_REQUESTS
    turns = sum(one != two for one, two in zip(load.versions, load.versions[1:], strict=False))
    assert turns >= 2


@pytest.mark.slow
def test_no_request_fails_and_no_half_version_is_loaded_while_pushes_are_killed(
    serving: Path, tmp_path: Path
) -> None:
    async def run(server: Server) -> None:
        # Pushes have to get their share of the machine.
        load = Load(server, pause_s=0.05)
        async with load.running():
            command = [
                sys.executable,
                __file__,
                str(serving),
                str(tmp_path / f"model-{LAST_WEIGHT}"),
            ]
            process = await asyncio.create_subprocess_exec(
                *command,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            stdout, stderr = await process.communicate()
            assert process.returncode == 0, stderr.decode()
            num_kills, last = map(int, stdout.split())
            assert num_kills > 60
            # The push that was let through is the last one, and is what answers.
            await load.sees(last)

    with running(serving, "--poll", "0.02") as server:
        asyncio.run(run(server))
    assert not [line for line in server.lines if "is not served" in line or "Traceback" in line]


def push(serving: Path, model: Path, key: str) -> int:
    """Publishes, moves the label and removes old versions, as the pipeline does."""
    from serving import changes
    from serving.shelves import LocalShelf

    shelf = LocalShelf(serving / MODEL)
    version = shelf.publish(model, key=key, properties={}, extras={})
    changes.announce(shelf, version.number, label="stable")
    changes.prune(shelf, keep=4)
    return version.number


def kill_pushes(serving: Path, model: Path) -> tuple[int, int]:
    """Starts pushes, kills each at its next file operation, and does it again in peace.

    Returns:
        How many were killed before one got through, and the last version.
    """
    from serving import changes, shelves  # noqa: F401  loaded before the first fork
    from tests.faults.test_push_killed import Points, kill

    point = 0
    while True:
        point += 1
        child = os.fork()
        if child == 0:
            points = Points(point, kill, lines=False)
            push(serving, model, f"push-{point}")
            points.close()
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        time.sleep(LOOK_S)
        # As a user does it: the same push again, which also removes what is too much.
        push(serving, model, f"push-{point}")
        if status != -signal.SIGKILL:
            assert status == 0, status
            return point - 1, int((serving / MODEL / ".last_version").read_text())


if __name__ == "__main__":
    print(*kill_pushes(Path(sys.argv[1]), Path(sys.argv[2])))

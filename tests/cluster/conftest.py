"""What the tests on clusters share: what is installed, a local run, a pool of workers."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.install import INSTALLED
from tests.command import PROJECT, Command, Result


@pytest.fixture(scope="session")
def installed() -> Path:
    """The folder of `tests.cluster.install`."""
    if not (INSTALLED / "flink").is_dir():
        pytest.fail("the clusters are not installed: python -m tests.cluster.install")
    return INSTALLED


@pytest.fixture(scope="module")
def local(run_local: Command, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A whole run on this machine; the tests add executions to its root."""
    result = run_local(tmp_path_factory.mktemp("local") / "root")
    assert result.exit_code == 0, result.stdout + result.stderr
    return result


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a worker pool of this machine."""
    log = tmp_path_factory.mktemp("pool") / "log"
    command = [sys.executable, "-m", "pipeline.beam", "pool", "--port", "0"]
    with log.open("w") as errors:
        process = subprocess.Popen(
            command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    assert process.stdout is not None
    found = re.search(r"[0-9.]+:\d+", process.stdout.readline())
    assert found is not None, log.read_text()
    yield found[0]
    process.terminate()
    process.wait()

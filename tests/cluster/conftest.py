"""What the tests on clusters share: what is installed, a run on this machine, a pool of workers."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.install import INSTALLED, is_installed
from tests.cluster.processes import Processes, running
from tests.cluster.runs import SHORT
from tests.command import PROJECT, Command, Result


@dataclass(frozen=True)
class Pool:
    """A worker pool of this machine.

    Attributes:
        address: `host:port`.
        processes: holds it as `pool`.
    """

    address: str
    processes: Processes

    @property
    def num_started(self) -> int:
        """How many workers it has started so far."""
        return self.processes.log("pool").read_text().count("\nworker ")


def installed(engine: str) -> Path:
    """The folder of `tests.cluster.install`, which has to hold an engine."""
    if not is_installed(engine):
        pytest.fail(f"{engine} is not installed: python -m tests.cluster.install {engine}")
    return INSTALLED


@pytest.fixture(scope="session", autouse=True)
def java_of_short_life() -> Iterator[None]:
    """Every Java here lives for minutes, too short for its thorough compiler to pay."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        yield


@pytest.fixture(scope="session")
def local(run_local: Command, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A run on this machine; the tests add executions to its root."""
    result = run_local(tmp_path_factory.mktemp("local") / "root", *SHORT, "--to", "Evaluator")
    assert result.exit_code == 0, result.stdout + result.stderr
    return result


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """A worker pool of this machine."""
    command = [sys.executable, "-m", "pipeline.beam", "pool", "--port", "0"]
    with running(tmp_path_factory.mktemp("pool")) as processes:
        processes.start("pool", command, PYTHONPATH=str(PROJECT))
        log = processes.log("pool")
        processes.wait("the pool", lambda: "worker pool on" in log.read_text())
        found = re.search(r"worker pool on (\S+)\n", log.read_text())
        assert found is not None
        yield Pool(found[1], processes)

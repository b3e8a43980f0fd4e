"""A Flink cluster on this machine: a JobManager and TaskManagers, each a process."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.cluster.processes import LOCALHOST, Processes, running
from tests.ports import free_port

NUM_WORKERS, SLOTS = 2, 2
# What Flink 1.19 reflects upon, which Java 17 keeps shut.
_OPENS = [
    f"--add-opens=java.base/{package}=ALL-UNNAMED"
    for package in (
        "java.lang",
        "java.lang.reflect",
        "java.io",
        "java.net",
        "java.nio",
        "java.text",
        "java.time",
        "java.util",
        "java.util.concurrent",
        "java.util.concurrent.atomic",
        "java.util.concurrent.locks",
        "sun.net.util",
    )
]
_LOGGING = """
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = console
appender.console.type = CONSOLE
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %-5p %c{1} - %m%n
"""


@dataclass(frozen=True)
class Flink:
    """A running cluster.

    Attributes:
        master: `host:port` of its REST interface.
        processes: `jobmanager`, `taskmanager-1`, …
    """

    master: str
    processes: Processes

    @property
    def overview(self) -> dict[str, int]:
        """Flink's own numbers: taskmanagers, jobs-running, jobs-finished, …"""
        return self._ask("overview")

    def is_amid_a_job(self) -> bool:
        """Whether a job has done some of its tasks and is at others."""
        tasks = [job["tasks"] for job in self._ask("jobs/overview")["jobs"]]
        return any(each["running"] and each["finished"] for each in tasks)

    def busy_workers(self) -> list[str]:
        """The TaskManagers that work for a job."""
        found = self._ask("taskmanagers")["taskmanagers"]
        return [each["id"] for each in found if each["freeSlots"] < each["slotsNumber"]]

    def blamed(self) -> set[str]:
        """The TaskManagers on which a task of a job failed, in all jobs so far."""
        found = set()
        for job in self._ask("jobs")["jobs"]:
            history = self._ask(f"jobs/{job['id']}/exceptions")["exceptionHistory"]["entries"]
            found |= {entry["taskManagerId"] for entry in history}
        return found

    def _ask(self, path: str) -> Any:
        return httpx.get(f"http://{self.master}/{path}", timeout=60).json()


@contextlib.contextmanager
def cluster(installed: Path, folder: Path) -> Iterator[Flink]:
    """A JobManager and two TaskManagers, until the block ends.

    Args:
        installed: holds the jars (`tests.cluster.install`).
        folder: for configuration and logs.
    """
    java = shutil.which("java")
    assert java is not None
    rest = free_port()
    conf = folder / "conf"
    conf.mkdir(parents=True)
    (conf / "config.yaml").write_text(yaml.safe_dump(_settings(rest, folder)))
    (conf / "log4j.properties").write_text(_LOGGING)
    shared = [
        *_OPENS,
        f"-Dlog4j.configurationFile={conf / 'log4j.properties'}",
        "-cp",
        f"{installed / 'flink' / 'lib'}/*",
    ]
    runtime = "org.apache.flink.runtime"
    with running(folder) as processes:
        entry = f"{runtime}.entrypoint.StandaloneSessionClusterEntrypoint"
        processes.start("jobmanager", [java, "-Xmx768m", *shared, entry, "--configDir", str(conf)])
        for number in range(1, NUM_WORKERS + 1):
            name = f"taskmanager-{number}"
            heap = ["-Xmx768m", "-XX:MaxDirectMemorySize=704m"]
            entry = f"{runtime}.taskexecutor.TaskManagerRunner"
            own = ["--configDir", str(conf), "-D", f"taskmanager.resource-id={name}"]
            processes.start(name, [java, *heap, *shared, entry, *own])
        found = Flink(f"{LOCALHOST}:{rest}", processes)

        def is_ready() -> bool:
            with contextlib.suppress(httpx.HTTPError, KeyError):
                return found.overview["taskmanagers"] == NUM_WORKERS
            return False

        processes.wait("Flink", is_ready)
        yield found


def _settings(rest: int, folder: Path) -> dict[str, object]:
    """The cluster's configuration; where one starts Java oneself, all memory has to be named."""
    return {
        "jobmanager.rpc.address": LOCALHOST,
        "jobmanager.bind-host": LOCALHOST,
        "jobmanager.rpc.port": free_port(),
        "jobmanager.memory.heap.size": "700m",
        "rest.address": LOCALHOST,
        "rest.bind-address": LOCALHOST,
        "rest.port": rest,
        "blob.server.port": free_port(),
        "io.tmp.dirs": str(folder),
        "taskmanager.bind-host": LOCALHOST,
        "taskmanager.host": LOCALHOST,
        "taskmanager.cpu.cores": 1.0,
        "taskmanager.numberOfTaskSlots": SLOTS,
        "taskmanager.memory.framework.heap.size": "128m",
        "taskmanager.memory.framework.off-heap.size": "64m",
        "taskmanager.memory.task.heap.size": "640m",
        "taskmanager.memory.task.off-heap.size": "64m",
        "taskmanager.memory.managed.size": "128m",
        # Otherwise one worker may do a whole job, and the loss of the other is none.
        "taskmanager.load-balance.mode": "SLOTS",
        # Transform's graph has hundreds of edges, and each takes buffers.
        "taskmanager.memory.network.min": "512m",
        "taskmanager.memory.network.max": "512m",
        "taskmanager.memory.jvm-metaspace.size": "256m",
        "taskmanager.memory.jvm-overhead.min": "192m",
        "taskmanager.memory.jvm-overhead.max": "192m",
        # A machine with more to do than it has cores answers late.
        "pekko.ask.timeout": "120 s",
        "heartbeat.interval": 2000,
        "heartbeat.timeout": 60000,
        # Counts what a lost worker breaks at once as one failure; fixed-delay counts every task.
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "2 s",
        "restart-strategy.exponential-delay.max-backoff": "10 s",
        "restart-strategy.exponential-delay.attempts-before-reset-backoff": 5,
    }

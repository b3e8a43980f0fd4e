"""A Spark standalone cluster on this machine: a master and workers, each a process."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.cluster.processes import LOCALHOST, Processes, running
from tests.ports import free_port

WORKERS = ("worker-1", "worker-2")
# What Spark's own launcher opens for Java 17.
_OPENS = [
    f"--add-opens=java.base/{package}=ALL-UNNAMED"
    for package in (
        "java.lang",
        "java.lang.invoke",
        "java.lang.reflect",
        "java.io",
        "java.net",
        "java.nio",
        "java.util",
        "java.util.concurrent",
        "java.util.concurrent.atomic",
        "sun.nio.ch",
        "sun.nio.cs",
        "sun.security.action",
        "sun.util.calendar",
    )
]


@dataclass(frozen=True)
class Spark:
    """A running cluster.

    Attributes:
        master: `spark://host:port`.
        page: the address of the master's web page.
        processes: `master`, `worker-1`, …
    """

    master: str
    page: str
    processes: Processes

    @property
    def overview(self) -> dict[str, Any]:
        """The master's own numbers: aliveworkers, activeapps, completedapps, …"""
        return httpx.get(f"{self.page}/json/", timeout=60).json()

    @property
    def num_finished(self) -> int:
        """How many applications, one for each job, have finished."""
        return [app["state"] for app in self.overview["completedapps"]].count("FINISHED")

    def num_tasks_done(self, worker: str) -> int:
        """How many tasks a worker's executors have done for the application that runs now."""
        logs = [
            log
            for app in self.overview["activeapps"]
            for log in (self.processes.folder / worker / app["id"]).glob("*/stderr")
        ]
        return sum(log.read_text().count("Finished task") for log in logs)

    def busiest_worker(self) -> str:
        """The worker that has done most tasks of the application that runs now."""
        return max(WORKERS, key=self.num_tasks_done)

    def has_lost_an_executor(self) -> bool:
        """Whether the master told an application of an executor that is gone."""
        return "Telling app of lost executor" in self.processes.log("master").read_text()


@contextlib.contextmanager
def cluster(installed: Path, folder: Path) -> Iterator[Spark]:
    """A master and two workers, until the block ends.

    Args:
        installed: holds the jars (`tests.cluster.install`).
        folder: for logs and work.
    """
    java = shutil.which("java")
    assert java is not None
    port, page = free_port(), free_port()
    master = f"spark://{LOCALHOST}:{port}"
    jars = installed / "spark"
    shared = ["-Xmx512m", *_OPENS, "-cp", f"{jars / 'jars'}/*"]
    deploy = "org.apache.spark.deploy"
    # What the scripts of a full distribution set.
    home = {"SPARK_HOME": str(jars), "SPARK_SCALA_VERSION": "2.12"}
    local = {"SPARK_LOCAL_IP": LOCALHOST, **home}
    with running(folder) as processes:
        where = ["--host", LOCALHOST, "--port", str(port), "--webui-port", str(page)]
        processes.start("master", [java, *shared, f"{deploy}.master.Master", *where], **local)
        found = Spark(master, f"http://{LOCALHOST}:{page}", processes)

        def has(num_workers: int) -> bool:
            with contextlib.suppress(httpx.HTTPError, KeyError):
                return found.overview["aliveworkers"] == num_workers
            return False

        processes.wait("the master of Spark", lambda: has(0))
        for name in WORKERS:
            own = ["--host", LOCALHOST, "--webui-port", "0", "--cores", "2", "--memory", "2g"]
            work = ["--work-dir", str(folder / name), master]
            entry = f"{deploy}.worker.Worker"
            processes.start(name, [java, *shared, entry, *own, *work], **local)
        processes.wait("the workers of Spark", lambda: has(len(WORKERS)))
        yield found

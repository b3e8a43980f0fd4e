"""A real Airflow on this machine: api-server, scheduler, dag-processor, and PostgreSQL below."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.cluster.processes import LOCALHOST, Processes, running
from tests.contract.databases import Server
from tests.ports import free_port

_PATIENCE_S = 600.0
_ENDED = ("success", "failed")


@dataclass(frozen=True)
class Airflow:
    """A running Airflow.

    Attributes:
        url: of its api-server.
        dags: the folder of DAG files.
        home: of its logs and passwords.
        python: has Airflow.
        environment: of its processes.
        processes: `api-server`, `scheduler`, `dag-processor`.
    """

    url: str
    dags: Path
    home: Path
    python: Path
    environment: dict[str, str]
    processes: Processes

    def ask(self, method: str, path: str, **json_body: Any) -> dict[str, Any]:
        """Asks Airflow's public API; fails with what it says."""
        token = httpx.get(f"{self.url}/auth/token", timeout=60).json()["access_token"]
        answer = httpx.request(
            method,
            f"{self.url}/api/v2{path}",
            json=json_body or None,
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def wait(self, what: str, found: Callable[[], Any]) -> Any:
        """Waits until something is found, and returns it; fails with the scheduler's last lines."""
        deadline = time.monotonic() + _PATIENCE_S
        while not (value := found()):
            if time.monotonic() > deadline:
                said = self.processes.log("scheduler").read_text(errors="replace")[-3000:]
                raise AssertionError(f"{what} did not come.\n{said}")
            time.sleep(1)
        return value

    def unpause(self, dag: str) -> None:
        """Waits until the DAG processor has read a DAG, and lets the scheduler run it."""

        def is_there() -> bool:
            errors = self.ask("GET", "/importErrors")["import_errors"]
            assert not errors, errors
            with contextlib.suppress(AssertionError):
                return bool(self.ask("GET", f"/dags/{dag}"))
            return False

        self.wait(f"the DAG {dag}", is_there)
        self.ask("PATCH", f"/dags/{dag}", is_paused=False)

    def trigger(self, dag: str, **params: Any) -> str:
        """Starts a run, as the button does; returns its id."""
        return self.ask("POST", f"/dags/{dag}/dagRuns", logical_date=None, conf=params)[
            "dag_run_id"
        ]

    def ended(self, dag: str, run: str) -> str:
        """Waits for the end of a run, and returns its state."""

        def state() -> str | None:
            found = self.ask("GET", f"/dags/{dag}/dagRuns/{run}")["state"]
            return found if found in _ENDED else None

        return self.wait(f"the end of {run}", state)

    def tasks(self, dag: str, run: str) -> dict[str, dict[str, Any]]:
        """The tasks of a run by their names: `state`, `try_number`, `start_date`, …"""
        path = f"/dags/{dag}/dagRuns/{run}/taskInstances"
        return {task["task_id"]: task for task in self.ask("GET", path)["task_instances"]}

    def logs(self, dag: str, run: str, task: str) -> list[str]:
        """What each attempt at a task said, with the error that ended it."""
        tries = self.tasks(dag, run)[task]["try_number"]
        path = f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs"
        answers = [self.ask("GET", f"{path}/{number}") for number in range(1, tries + 1)]
        return ["\n".join(json.dumps(line) for line in answer["content"]) for answer in answers]

    def call(self, *words: str) -> str:
        """Runs `airflow …`, and returns what it prints."""
        done = subprocess.run(
            [self.python, "-m", "airflow", *words],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextlib.contextmanager
def serving(python: Path, database: Server, folder: Path, **variables: Any) -> Iterator[Airflow]:
    """Airflow until the block ends.

    Args:
        python: has Airflow.
        database: holds Airflow's tables, and ML Metadata's.
        folder: for everything that it writes.
        **variables: Airflow's Variables, as JSON values.
    """
    port = free_port()
    url = f"http://{LOCALHOST}:{port}"
    home, dags = folder / "home", folder / "dags"
    for made in (home, dags):
        made.mkdir(parents=True, exist_ok=True)
    environment = _environment(database, url, home, dags)
    for name, value in variables.items():
        environment[f"AIRFLOW_VAR_{name.upper()}"] = json.dumps(value)
    with running(home) as processes:
        found = Airflow(url, dags, home, python, environment, processes)
        found.call("db", "migrate")
        airflow = [str(python), "-m", "airflow"]
        where = ["--host", LOCALHOST, "--port", str(port), "--workers", "1"]
        processes.start("api-server", [*airflow, "api-server", *where], **environment)
        processes.start("dag-processor", [*airflow, "dag-processor"], **environment)
        processes.start("scheduler", [*airflow, "scheduler", "--skip-serve-logs"], **environment)

        def is_up() -> bool:
            with contextlib.suppress(httpx.HTTPError):
                # What the tasks talk to is made at the first request, which takes long.
                asked = ("/execution/health", "/api/v2/monitor/health")
                return all(httpx.get(f"{url}{path}", timeout=60).is_success for path in asked)
            return False

        processes.wait("Airflow", is_up)
        yield found


def _environment(database: Server, url: str, home: Path, dags: Path) -> dict[str, str]:
    """What all processes of Airflow have to agree on, and what makes them quick to notice."""
    address = database.new_database().removeprefix(f"{database.kind}://{database.user}@")
    connection = f"postgresql+psycopg2://{database.user}:{database.password}@{address}"
    settings = {
        "CORE__DAGS_FOLDER": str(dags),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "4",
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "API__BASE_URL": url,
        "API__SECRET_KEY": secrets.token_hex(16),
        "API_AUTH__JWT_SECRET": secrets.token_hex(64),
        "DATABASE__SQL_ALCHEMY_CONN": connection,
        "DAG_PROCESSOR__REFRESH_INTERVAL": "2",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
        "WORKERS__EXECUTION_API_TIMEOUT": "60",
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    }
    return {
        "AIRFLOW_HOME": str(home),
        "PYTHONPATH": str(home / "modules"),
        "WAYBILL_METADATA_PASSWORD": database.password,
        "NO_PROXY": LOCALHOST,
        **{f"AIRFLOW__{name}": value for name, value in settings.items()},
    }

"""Runs by Airflow's own scheduler, on PostgreSQL, of pipelines that live in another environment."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest

from pipeline.lineage.connection import parse
from pipeline.lineage.store import LineageStore
from serving.runtime import SavedModel
from serving.versions import versions
from tests.airflow.conftest import Site
from tests.airflow.server import Airflow
from tests.command import PROJECT, Command

pytestmark = [pytest.mark.slow, pytest.mark.airflow]

STAGES = {"data", "train", "release"}


@pytest.fixture(scope="module")
def rejected(airflow: Airflow) -> str:
    """A run in single nodes, of data without labels; begun first, to run beside the others."""
    return airflow.trigger("nodes")


@pytest.fixture(scope="module")
def killed(airflow: Airflow, site: Site, rejected: str) -> str:
    """A whole run whose training was killed once."""
    run = airflow.trigger("tumors")

    def training() -> psutil.Process | None:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                words = process.cmdline()
                if f"--run-id={run}" in words and "--node=Trainer" in words:
                    return process
        return None

    process = airflow.wait("the training", training)
    airflow.wait(
        "the Trainer", lambda: [item for item in site.executions("tumors", "Trainer", run)]
    )
    os.kill(process.pid, signal.SIGKILL)
    assert airflow.ended("tumors", run) == "success"
    return run


@pytest.fixture(scope="module")
def local(site: Site, run_local: Command, killed: str) -> str:
    """A run of the same on this machine, in the same store and root, with no earlier result."""
    result = run_local(site.root, "--config", str(site.config("tumors")), "--fresh")
    assert result.exit_code == 0, result.stdout + result.stderr
    return json.loads((site.root / "report" / "run.json").read_text())["run"]


@pytest.fixture(scope="module")
def cached(airflow: Airflow, local: str) -> str:
    """A second run by Airflow."""
    run = airflow.trigger("tumors")
    assert airflow.ended("tumors", run) == "success"
    return run


def metrics(site: Site, run: str) -> dict[str, float]:
    """What the Evaluator found in a run, over all examples."""
    [execution] = site.executions("tumors", "Evaluator", run)
    evaluation = execution.output("evaluation")
    assert evaluation is not None
    return json.loads(evaluation.text("candidate_metrics"))


def test_a_run_pushes_a_model_that_a_server_loads(airflow: Airflow, site: Site, killed: str):
    tasks = airflow.tasks("tumors", killed)
    assert {name: task["state"] for name, task in tasks.items()} == dict.fromkeys(STAGES, "success")
    version = versions(site.root / "serving" / "tumors")[0]
    assert version.properties["run"] == f"tumors-{killed}"
    assert "serving_default" in SavedModel(version.path).signatures


def test_a_killed_task_is_tried_again_to_the_same_result(
    airflow: Airflow, site: Site, killed: str, local: str
):
    first, *others = airflow.logs("tumors", killed, "train")
    assert "Exit code -9: another attempt may go well" in first
    assert "Trainer: done" in others[-1]
    assert metrics(site, killed) == metrics(site, local.removeprefix("tumors-"))


def test_a_second_run_takes_everything_from_the_cache(airflow: Airflow, site: Site, cached: str):
    for node in ("ExampleGen", "StatisticsGen", "Transform", "Trainer", "Evaluator"):
        assert [item.state for item in site.executions("tumors", node, cached)] == ["CACHED"], node
    assert "Trainer: cached" in airflow.logs("tumors", cached, "train")[-1]


def test_local_runs_and_those_of_airflow_are_one_history(
    site: Site, killed: str, local: str, cached: str
):
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.lineage", "--store", site.metadata, "runs", "--json"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = {run["id"]: run["state"] for run in json.loads(done.stdout)["runs"]}
    wanted = {f"tumors-{killed}", local, f"tumors-{cached}"}
    assert {run: found.get(run) for run in wanted} == dict.fromkeys(wanted, "COMPLETE")


def test_a_task_links_to_the_page_of_its_run(airflow: Airflow, site: Site, killed: str):
    links = airflow.ask("GET", f"/dags/tumors/dagRuns/{killed}/taskInstances/train/links")
    [url] = links["extra_links"].values()
    run = httpx.URL(url).path.removeprefix("/runs/")
    assert LineageStore(parse(site.metadata)).run(run) is not None


def test_rejected_data_fails_without_another_attempt_and_somebody_is_told(
    airflow: Airflow, site: Site, rejected: str
):
    assert airflow.ended("nodes", rejected) == "failed"
    tasks = airflow.tasks("nodes", rejected)
    assert tasks["DataGate"]["state"] == "failed"
    assert tasks["DataGate"]["max_tries"] == 2
    [log] = airflow.logs("nodes", rejected, "DataGate")
    assert "Exit code 3: the data broke its contract" in log
    assert tasks["Trainer"]["state"] == "upstream_failed"
    airflow.wait(
        "the word of it", lambda: site.told.is_file() and rejected in site.told.read_text()
    )


def test_nodes_without_need_of_each_other_run_at_the_same_time(
    airflow: Airflow, site: Site, rejected: str
):
    airflow.ended("nodes", rejected)
    tasks = airflow.tasks("nodes", rejected)
    roots = [tasks["ExampleGen"], tasks["SchemaGen"]]
    assert tasks["init_store"]["state"] == "success"
    assert not (site.root / "metadata.db").exists()
    assert max(task["start_date"] for task in roots) < min(task["end_date"] for task in roots)


def test_a_backfill_reads_the_span_of_each_day_and_waits_for_its_data(airflow: Airflow, site: Site):
    airflow.unpause("daily")
    # The schedule's own run of the newest day would wait for ever.
    [newest] = airflow.wait("a run of the schedule", lambda: _runs(airflow, "scheduled"))
    airflow.ask("PATCH", f"/dags/daily/dagRuns/{newest}", state="failed")
    first, second = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    days = {"from_date": first.isoformat(), "to_date": second.isoformat()}
    airflow.ask("POST", "/backfills", dag_id="daily", max_active_runs=2, **days)
    early, late = airflow.wait("the backfill", lambda: _runs(airflow, "backfill"))
    airflow.wait(
        "the sensor",
        lambda: airflow.tasks("daily", late)["wait_for_data"]["state"] == "up_for_reschedule",
    )
    draft = site.folder / "data" / "days" / ".draft"
    shutil.copytree(site.folder / "later", draft)
    draft.rename(draft.with_name("2026-01-02"))
    assert [airflow.ended("daily", run) for run in (early, late)] == ["success", "success"]
    spans = [_span(site, run) for run in (early, late)]
    assert spans == [(day - datetime(1970, 1, 1, tzinfo=UTC)).days for day in (first, second)]
    airflow.wait("the word of the deadline", Path(f"{site.told}-late").exists)


def _runs(airflow: Airflow, kind: str) -> list[str]:
    found = airflow.ask("GET", "/dags/daily/dagRuns")["dag_runs"]
    return sorted(run["dag_run_id"] for run in found if run["run_type"] == kind)


def _span(site: Site, run: str) -> int:
    [execution] = site.executions("daily", "ExampleGen", run)
    examples = execution.output("examples")
    assert examples is not None
    return int(examples.properties["span"])

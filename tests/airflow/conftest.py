"""What the tests on Airflow share: one Airflow, and the pipelines that it runs."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.lineage.connection import parse
from pipeline.lineage.models import Execution
from pipeline.lineage.store import LineageStore
from tests.airflow import installation
from tests.airflow.server import Airflow, serving
from tests.command import PROJECT
from tests.contract.databases import Server

# Runs in Airflow's processes: writes down what it was told.
_TOLD = """
from pathlib import Path

def write(context, file):
    with Path(file).open("a") as log:
        log.write(f"{context['dag_run'].run_id}\\n")

def write_late(file):
    Path(file).touch()
"""


@pytest.fixture(scope="session")
def airflow_python() -> Path:
    """The Python that has Airflow."""
    return installation.python()


@dataclass(frozen=True)
class Site:
    """Where everything is.

    Attributes:
        folder: holds all of it.
        metadata: the address of the metadata store.
    """

    folder: Path
    metadata: str

    @property
    def root(self) -> Path:
        """Where the pipelines write."""
        return self.folder / "root"

    @property
    def told(self) -> Path:
        """The runs that somebody was told to have failed."""
        return self.folder / "told"

    def config(self, name: str) -> Path:
        """The configuration of a pipeline."""
        return self.folder / f"{name}.yaml"

    def executions(self, name: str, node: str, run: str) -> list[Execution]:
        """The executions of a node in a run, which Airflow names."""
        store = LineageStore(parse(self.metadata))
        context = store.run(f"{name}-{run}")
        if context is None:
            return []
        mine = store.placed(store.executions_of_run(context))
        return [execution for execution in store.executions(name, node) if execution.id in mine]


@pytest.fixture(scope="module")
def site(
    postgresql_server: Server,
    small_table: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """Configurations and data of three pipelines: `tumors`, `daily` in spans, `nodes`."""
    found = Site(tmp_path_factory.mktemp("site"), postgresql_server.new_database())
    rows = list(csv.reader(small_table.open()))
    half = len(rows) // 2
    _write_table(found.folder / "data" / "all" / "tumors.csv", rows)
    _write_table(found.folder / "data" / "days" / "2026-01-01" / "tumors.csv", rows[:half])
    _write_table(found.folder / "later" / "tumors.csv", [rows[0], *rows[half:]])
    _write_table(
        found.folder / "data" / "bad" / "tumors.csv",
        [rows[0], *([*row[:-1], ""] for row in rows[1:])],
    )
    _write_configs(found)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WAYBILL_METADATA_PASSWORD", postgresql_server.password)
        yield found


@pytest.fixture(scope="module")
def airflow(
    site: Site,
    airflow_python: Path,
    postgresql_server: Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Airflow]:
    """Airflow with the three pipelines."""
    folder = tmp_path_factory.mktemp("airflow")
    modules = folder / "home" / "modules"
    modules.mkdir(parents=True)
    (modules / "told.py").write_text(_TOLD)
    here = {"python": sys.executable, "project": str(PROJECT), "root": str(site.root)}
    variables = {
        "waybill_tumors": {**here, "data": str(site.folder / "data" / "all")},
        "waybill_daily": {**here, "data": str(site.folder / "data" / "days")},
        "waybill_nodes": {**here, "data": str(site.folder / "data" / "bad")},
    }
    with serving(airflow_python, postgresql_server, folder, **variables) as found:
        compile_dag(site.config("nodes"), found.dags / "nodes", "--tasks", "nodes")
        compile_dag(site.config("tumors"), found.dags / "tumors")
        compile_dag(site.config("daily"), found.dags / "daily")
        for name in ("tumors", "nodes"):
            found.unpause(name)
        yield found


def compile_dag(config: Path, out: Path, *flags: str) -> Path:
    """Compiles a pipeline for Airflow; returns its DAG file."""
    # In this process, which then imports TensorFlow once for all of them.
    from pipeline.compile.__main__ import main

    assert main(["--target", "airflow", "--config", str(config), "--out", str(out), *flags]) == 0
    [file] = out.glob("*_dag.py")
    return file


def _write_table(path: Path, rows: list[list[str]]) -> None:
    path.parent.mkdir(parents=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def _write_configs(site: Site) -> None:
    common: dict[str, Any] = {
        "label": {"column": "target"},
        "training": {"steps": 600, "batch_size": 64},
        "metadata": {"uri": site.metadata},
    }
    orchestration = {
        "defaults": {"retry_delay_s": 1, "timeout_s": 600},
        "airflow": {
            "lineage_url": "http://127.0.0.1:8400",
            "on_failure": [{"call": "told.write", "with_values": {"file": str(site.told)}}],
        },
    }
    everything = str(site.folder / "data" / "all")
    _write(site.config("tumors"), "tumors", everything, orchestration, common)
    schema = site.folder / "schema"
    command = [sys.executable, "-m", "pipeline.init", "nodes", "--data", everything]
    subprocess.run(
        [*command, "--label", "target", "--dir", str(schema)],
        cwd=PROJECT,
        check=True,
        capture_output=True,
    )
    curated = {**common, "validation": {"schema_path": str(schema / "schema.pbtxt")}}
    _write(site.config("nodes"), "nodes", everything, orchestration, curated)
    daily = {
        "schedule": "@daily",
        "start_date": "2026-01-01",
        "wait_for_data": True,
        "wait_every_s": 10,
        "deadline_s": 1,
        "on_deadline": {"call": "told.write_late", "with_values": {"file": f"{site.told}-late"}},
    }
    days = str(site.folder / "data" / "days" / "{YYYY}-{MM}-{DD}")
    spans = {**orchestration, "airflow": daily}
    _write(site.config("daily"), "daily", days, spans, {**common, "training": {"steps": 60}})


def _write(
    file: Path, name: str, path: str, orchestration: dict[str, Any], others: dict[str, Any]
) -> None:
    content = {"name": name, "data": {"path": path}, "orchestration": orchestration, **others}
    file.write_text(yaml.safe_dump(content))

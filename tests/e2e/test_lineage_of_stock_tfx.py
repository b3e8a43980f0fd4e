"""A store that the stock TFX taxi template made is read with the same commands as ours."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.measure import environment
from benchmarks.stock_template import Stock
from tests.command import PROJECT

_ROWS, _STEPS = 1_500, 20


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The metadata of one run of the template, on the beginning of its table and in few steps."""
    scratch = tmp_path_factory.mktemp("stock")
    stock = Stock(scratch)
    rows = stock.table.read_text().splitlines(keepends=True)
    stock.table.write_text("".join(rows[: _ROWS + 1]))
    folder = stock.table.parents[1]
    configs = folder / "pipeline" / "configs.py"
    text = re.sub(r"(_NUM_STEPS = )\d+", rf"\g<1>{_STEPS}", configs.read_text())
    configs.write_text(re.sub(r"(EVAL_ACCURACY_THRESHOLD = )[\d.]+", r"\g<1>0.1", text))
    done = subprocess.run(
        [sys.executable, str(PROJECT / "benchmarks" / "stock_driver.py"), str(scratch / "s.json")],
        cwd=folder,
        env=environment() | {"PYTHONPATH": str(scratch / "modules")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    [found] = folder.rglob("metadata.db")
    return found


def ask(database: Path, *flags: str) -> Any:
    """The JSON answer of the command."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.lineage", "--store", str(database), "--json", *flags],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_its_run_its_model_and_its_data_are_told(database: Path) -> None:
    [run] = ask(database, "runs")["runs"]
    assert (run["pipeline"], run["state"], run["decision"]) == ("stock", "COMPLETE", "pushed")
    [pushed] = ask(database, "search", "type=PushedModel")["found"]
    found = ask(database, "trace", f"artifact:{pushed['id']}")
    nodes = [item["node"] for item in found["graph"]["executions"]]
    assert nodes[0] == "CsvExampleGen"
    assert {"Transform", "Trainer", "Evaluator", "Pusher"} <= set(nodes)
    [data] = found["data"]
    assert data["folder"].endswith("data")
    assert data["fingerprint"]
    assert found["schemas"]


def test_its_raw_file_leads_to_what_it_pushed(database: Path) -> None:
    [examples] = ask(database, "search", "type=Examples", "span=0", "input_fingerprint=*")["found"]
    producer = ask(database, "show", f"artifact:{examples['id']}")["artifacts"][0]["producer"]
    table = Path(producer["properties"]["input_base"]) / "data.csv"
    found = ask(database, "impact", str(table))
    assert found["target"]["artifacts"] == [examples["id"]]
    assert len(found["models"]) == len(found["pushed"]) == 1
    assert found["pushed"][0]["version"]


def test_why_and_show_answer_without_what_only_we_record(database: Path) -> None:
    [run] = ask(database, "runs")["runs"]
    found = ask(database, "why", run["id"])
    verdicts = {check["node"]: check["verdict"] for check in found["checks"]}
    assert verdicts == {"Evaluator": "passed", "Pusher": "passed"}
    shown = ask(database, "show", run["id"])
    assert len(shown["graph"]["executions"]) == run["executions"]
    same = ask(database, "diff", run["id"], run["id"])
    assert same["differences"] == []
    # The template names its artifacts by paths that are relative to where it ran.
    assert same["compared"]["data"] > 2
    assert same["compared"]["configuration"] > 10

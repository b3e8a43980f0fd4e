"""Questions about real runs: two spans, a cache, a refused model, a run that was killed."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.command import PROJECT
from tests.e2e.lineage_runs import NAME, LineageRuns


def ask(runs: LineageRuns, *flags: str, code: int = 0) -> Any:
    """The JSON answer of the command."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.lineage", "--store", str(runs.root), "--json", *flags],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout) if done.stdout else None


@pytest.fixture(scope="module")
def runs(lineage_runs: LineageRuns) -> LineageRuns:
    return lineage_runs


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_runs_are_listed_with_what_became_of_them(runs: LineageRuns) -> None:
    found = ask(runs, "runs")["runs"]
    assert [(run["id"], run["state"], run["decision"], run["version"]) for run in found] == [
        (runs.second, "COMPLETE", "pushed", "2"),
        (runs.killed, "CANCELED", "killed", None),
        (runs.refused, "COMPLETE", "not good enough", None),
        (runs.first, "COMPLETE", "pushed", "1"),
    ]
    assert 0 < found[0]["metrics"]["auc"] <= 1
    assert found[0]["cached"] == 0
    assert found[2]["cached"] > 4
    [refused] = ask(runs, "runs", "--state", "not good enough")["runs"]
    assert refused == found[2]


def test_live_leads_to_the_model_the_run_and_the_raw_file(runs: LineageRuns) -> None:
    shown = ask(runs, "show", "live")
    assert shown["version"]["number"] == 2
    assert shown["version"]["labels"] == ["stable"]
    assert shown["run"]["id"] == runs.second
    assert shown["model"]["uri"] == shown["version"]["properties"]["model"]
    traced = ask(runs, "trace", "live")
    [data] = traced["data"]
    [file] = data["files"]
    assert (file["path"], file["sha256"]) == (str(runs.files[1]), digest(runs.files[1]))
    assert file["rows"] == sum(data["rows"].values())
    assert data["span"] == "2"
    assert {"ExampleGen", "Transform", "Trainer"} <= set(traced["code"])
    [run] = traced["runs"]
    assert run["id"] == runs.second
    assert run["configuration"]["training"]["steps"] == 40
    assert run["libraries"]["tfx"]
    assert traced["schemas"]


def test_a_bad_file_leads_to_the_versions_it_went_into(runs: LineageRuns) -> None:
    path = runs.files[0]
    for name in (str(path), "span:1", f"sha256:{digest(path)[:16]}"):
        found = ask(runs, "impact", name)
        assert [item["version"] for item in found["pushed"]] == ["1"]
        assert {item["run"] for item in found["models"]} == {runs.first, runs.refused}
        assert [item["run"] for item in found["refused"]] == [runs.refused]
    later = ask(runs, "impact", str(runs.files[1]))
    assert [(item["version"], item["labels"]) for item in later["pushed"]] == [("2", ["stable"])]


def test_why_names_the_metric_the_slice_the_threshold_and_the_baseline(runs: LineageRuns) -> None:
    found = ask(runs, "why", runs.refused)
    checks = {check["node"]: check for check in found["checks"]}
    evaluator = checks["Evaluator"]
    assert evaluator["verdict"] == "refused"
    [row] = [row for row in evaluator["rows"] if row["verdict"] != "met"]
    assert (row["metric"], row["slice"], row["bound"]) == ("auc", "all examples", "min")
    assert row["threshold"] == 1.0
    assert checks["DataGate"]["is_cached"]
    assert checks["ServingCheck"]["verdict"] == "passed"
    assert checks["Pusher"]["verdict"] == "refused"
    assert found["baseline"]["version"] == 1
    pushed = ask(runs, "why", "v1")
    assert pushed["run"]["id"] == runs.first
    assert {check["verdict"] for check in pushed["checks"]} == {"passed"}
    moved = [item["properties"]["action"] for item in pushed["label_changes"]]
    assert moved[0] == "push"


def test_why_tells_that_a_run_was_killed_and_where(runs: LineageRuns) -> None:
    found = ask(runs, "why", runs.killed)
    [trainer] = [check for check in found["checks"] if check["node"] == "Trainer"]
    assert trainer["verdict"] == "failed"
    assert "killed" in trainer["reason"]


def test_a_diff_tells_configuration_data_and_metrics_apart(runs: LineageRuns) -> None:
    found = ask(runs, "diff", runs.first, runs.refused)
    changed = {item["what"]: item for item in found["differences"]}
    assert (changed["training.steps"]["before"], changed["training.steps"]["after"]) == (40, 30)
    sections = {item["section"] for item in found["differences"]}
    assert sections <= {"configuration", "machine", "metrics"}
    assert all(found["compared"][name] for name in ("data", "statistics", "schema", "libraries"))
    spans = ask(runs, "diff", "v1", "v2", "--only", "data", "--only", "statistics")
    whats = {item["what"] for item in spans["differences"]}
    assert "examples.fingerprint" in whats
    assert any(what.endswith(".mean") for what in whats)


def test_a_run_is_shown_with_its_node_names_and_properties(runs: LineageRuns) -> None:
    shown = ask(runs, "show", runs.second)
    graph = shown["graph"]
    by_node = {item["node"]: item for item in graph["executions"]}
    assert {item["pipeline"] for item in graph["executions"]} == {NAME}
    assert by_node["Trainer"]["properties"]["waybill_wall_s"] > 0
    members = {item["id"] for item in graph["artifacts"]}
    assert {edge["artifact"] for edge in graph["edges"]} <= members
    assert shown["run"]["properties"]["waybill_config"]


def test_a_search_finds_failures_and_refusals(runs: LineageRuns) -> None:
    [refused] = ask(runs, "search", "type=ModelBlessing", "blessed=0")["found"]
    assert "auc" in refused["properties"]["reason"]
    [canceled] = ask(runs, "search", "state=CANCELED")["found"]
    assert (canceled["node"], canceled["run"]) == ("Trainer", runs.killed)
    ask(runs, "search", "state=FAILED", code=1)

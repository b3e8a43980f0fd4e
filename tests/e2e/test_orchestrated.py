"""A pipeline compiled once and run task by task, as an orchestrator does it."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import ml_metadata
import pytest

from components.errors import (
    DataRejected,
    Interrupted,
    ModelNotGoodEnough,
    ModelNotServable,
    NodeFailed,
)
from pipeline.command import TEMPORARY
from pipeline.layout import Layout
from pipeline.lineage.models import Execution
from pipeline.lineage.store import LineageStore, open_store
from pipeline.recording import names
from serving.runtime import SavedModel
from serving.versions import versions
from tests.command import PROJECT, Command

pytestmark = pytest.mark.slow

SETTINGS = (
    *("--label", "target", "--set", "training.steps=100", "--set", "training.batch_size=64"),
    *("--set", "name=tumors"),
)
TASKS = {
    "data": "ExampleGen,StatisticsGen,SchemaGen,ExampleValidator,DataGate,Transform",
    "train": "Trainer",
}


def compiled(folder: Path, table: Path, *flags: str) -> Path:
    command = [sys.executable, "-m", "pipeline.compile", "--data", str(table), *SETTINGS, *flags]
    done = subprocess.run(
        [*command, "--out", str(folder)], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, small_table: Path) -> Path:
    return compiled(tmp_path_factory.mktemp("compiled") / "tumors", small_table)


Node = Callable[..., int]


@pytest.fixture(scope="module")
def run_node(bundle: Path, small_table: Path) -> Node:
    """Runs `python -m pipeline.run_node` in this process, which has imported TensorFlow once."""
    from pipeline import run_node

    def run(root: Path, nodes: str, run_id: str, *flags: str, ir: Path = bundle) -> int:
        given = ["--ir", str(ir), "--node", nodes, "--run-id", run_id, "--root", str(root)]
        data = [] if "--data" in flags else ["--data", str(small_table.parent)]
        return run_node.main([*given, *data, *flags])

    return run


@pytest.fixture(scope="module")
def rest(bundle: Path) -> str:
    """The nodes after the training."""
    [task] = [
        task
        for task in json.loads((bundle / "pipeline.json").read_text())["tasks"]
        if task["name"] == "release"
    ]
    return ",".join(task["nodes"])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, run_node: Node, rest: str) -> Path:
    """A whole run, `first`, in three tasks."""
    root = tmp_path_factory.mktemp("orchestrated") / "root"
    for nodes in (*TASKS.values(), rest):
        assert run_node(root, nodes, "first") == 0
    return root


def executions(root: Path, node: str, run: str) -> list[Execution]:
    store = LineageStore(Layout(root).metadata)
    context = store.run(f"tumors-{run}")
    assert context is not None
    placed = store.placed(store.executions_of_run(context))
    return [execution for execution in placed.values() if execution.node == node]


def test_nothing_of_the_compiling_machine_is_in_the_compiled_pipeline(
    bundle: Path, small_table: Path
):
    for file in bundle.iterdir():
        text = file.read_text()
        assert str(small_table.parent) not in text
        assert str(PROJECT) not in text
        assert str(Path.home()) not in text or Path.home() == Path("/")


def test_a_run_in_tasks_pushes_a_model_that_a_server_loads(root: Path):
    [version] = versions(root / "serving" / "tumors")
    assert "serving_default" in SavedModel(version.path).signatures
    assert version.properties["run"] == "tumors-first"


def test_the_run_records_why_its_model_was_pushed(root: Path):
    run = LineageStore(Layout(root).metadata).run("tumors-first")
    assert run is not None
    outcome = json.loads(run.text(names.OUTCOME))
    assert outcome["reason"] == "every threshold was met"


def test_the_run_is_named_after_its_pipeline(root: Path):
    store = open_store(Layout(root).metadata)
    assert isinstance(store, ml_metadata.MetadataStore)
    found = {context.name for context in store.get_contexts_by_type("pipeline_run")}
    assert "tumors-first" in found
    assert "first" not in found


def test_a_task_that_succeeded_is_not_done_again(
    root: Path, run_node: Node, capsys: pytest.CaptureFixture[str]
):
    before = {node: executions(root, node, "first") for node in ("BaselineResolver", "Trainer")}
    assert run_node(root, "Trainer,BaselineResolver", "first") == 0
    assert "Trainer: done before" in capsys.readouterr().out
    assert before == {node: executions(root, node, "first") for node in before}
    assert [len(found) for found in before.values()] == [1, 1]


def test_another_run_of_the_same_takes_everything_from_the_cache(
    root: Path, run_node: Node, rest: str
):
    for nodes in (*TASKS.values(), rest):
        assert run_node(root, nodes, "second") == 0
    for node in ("ExampleGen", "Transform", "Trainer", "Pusher"):
        assert [item.state for item in executions(root, node, "second")] == ["CACHED"], node
    assert len(versions(root / "serving" / "tumors")) == 1


def test_the_local_command_shares_the_cache_of_its_root(
    root: Path, run_local: Command, small_table: Path
):
    result = run_local(root, "--data", str(small_table), *SETTINGS)
    assert result.exit_code == 0, result.stdout + result.stderr
    assert "nothing to do" in result.stdout


def test_inputs_that_are_not_there_fail_for_good(
    root: Path, run_node: Node, capsys: pytest.CaptureFixture[str]
):
    assert run_node(root, "Trainer", "without-data") == NodeFailed.exit_code
    assert "inputs could not be resolved" in capsys.readouterr().err


def test_data_that_breaks_the_contract_is_told_by_the_exit_code(
    bundle: Path, small_table: Path, run_node: Node, tmp_path: Path
):
    rows = list(csv.reader(small_table.open()))
    with (tmp_path / small_table.name).open("w", newline="") as file:
        csv.writer(file).writerows([rows[0], *([*row[:-1], ""] for row in rows[1:])])
    code = run_node(tmp_path / "root", TASKS["data"], "bad", "--data", str(tmp_path))
    assert code == DataRejected.exit_code


def test_a_model_that_is_not_good_enough_is_told_by_the_exit_code_and_not_pushed(
    root: Path, run_node: Node, rest: str, small_table: Path, tmp_path: Path
):
    strict = compiled(tmp_path / "strict", small_table, "--set", "evaluation.thresholds.auc.min=1")
    for nodes in TASKS.values():
        assert run_node(root, nodes, "strict", ir=strict) == 0
    code = run_node(root, rest, "strict", ir=strict)
    assert code == ModelNotGoodEnough.exit_code
    assert len(versions(root / "serving" / "tumors")) == 1


def test_files_that_are_gone_are_made_again(
    root: Path, run_node: Node, tmp_path: Path, small_table: Path
):
    copy = tmp_path / "root"
    assert run_node(copy, TASKS["data"], "one") == 0
    shutil.rmtree(copy / "artifacts" / "tumors" / "StatisticsGen" / "statistics")
    assert run_node(copy, TASKS["data"], "two") == 0
    assert [item.state for item in executions(copy, "ExampleGen", "two")] == ["CACHED"]
    assert [item.state for item in executions(copy, "StatisticsGen", "two")] == ["COMPLETE"]


def test_a_killed_attempt_leaves_nothing_that_the_next_one_reads(
    bundle: Path, small_table: Path, tmp_path: Path, run_node: Node
):
    root = tmp_path / "root"
    command = [sys.executable, "-m", "pipeline.run_node", "--ir", str(bundle)]
    command += ["--node", TASKS["data"], "--run-id", "killed"]
    command += ["--root", str(root), "--data", str(small_table.parent)]
    process = subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Transform: running"):
            time.sleep(1)
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.wait(timeout=60)
    [attempt] = executions(root, "Transform", "killed")
    assert attempt.state == "RUNNING"
    output = root / "artifacts" / "tumors" / "Transform" / "transformed_examples" / str(attempt.id)
    (output / "Split-train" / "beam-temp-left").mkdir(parents=True)
    for nodes in TASKS.values():
        assert run_node(root, nodes, "killed") == 0
    [again] = executions(root, "Transform", "killed")
    assert (again.id, again.state) == (attempt.id, "COMPLETE")
    assert not list(output.rglob("beam-temp-*"))


def test_a_model_that_cannot_be_served_in_time_is_told_by_the_exit_code(
    root: Path, run_node: Node, rest: str, small_table: Path, tmp_path: Path
):
    budget = ("--set", "serving_check.latency_budget_ms=0.001")
    hasty = compiled(tmp_path / "hasty", small_table, *budget)
    for nodes in TASKS.values():
        assert run_node(root, nodes, "hasty", ir=hasty) == 0
    assert run_node(root, rest, "hasty", ir=hasty) == ModelNotServable.exit_code
    assert len(versions(root / "serving" / "tumors")) == 1


def test_a_database_that_is_away_is_worth_another_attempt(
    run_node: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for uri in (f"postgresql://me@127.0.0.1:{port}/db", f"mysql://me@127.0.0.1:{port}/db"):
        code = run_node(tmp_path / "root", TASKS["data"], "away", "--metadata", uri)
        assert code == TEMPORARY
        assert f"no server answers at 127.0.0.1:{port}" in capsys.readouterr().err


def test_an_interrupted_training_goes_on_at_the_next_attempt(
    small_table: Path, tmp_path: Path, run_node: Node
):
    root = tmp_path / "root"
    long = compiled(tmp_path / "long", small_table, "--set", "training.steps=20000")
    assert run_node(root, TASKS["data"], "stopped", ir=long) == 0
    command = [sys.executable, "-m", "pipeline.run_node", "--ir", str(long), "--node", "Trainer"]
    command += ["--run-id", "stopped", "--root", str(root), "--data", str(small_table.parent)]
    checkpoints = root / "artifacts" / "tumors" / "Trainer" / "checkpoints"
    with subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 120
        while not list(checkpoints.rglob("*.ckpt")) and time.monotonic() < until:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == Interrupted.exit_code
    [attempt] = executions(root, "Trainer", "stopped")
    assert attempt.state in ("CANCELED", "FAILED")
    assert run_node(root, "Trainer", "stopped", ir=long) == 0
    states = [item.state for item in executions(root, "Trainer", "stopped")]
    assert states.count("COMPLETE") == 1
    assert "RUNNING" not in states

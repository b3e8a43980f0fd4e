"""The pipeline for Kubeflow, run by kfp's own local orchestrator, which fills the commands in.

Only what starts a container is ours: the command runs as a process of this environment instead,
with the content of the ConfigMap in the place of its mount.
"""

from __future__ import annotations

import base64
import csv
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kfp import components, local
from kfp.local import status, subprocess_task_handler, task_dispatcher

from components.errors import DataRejected
from pipeline.compile.kubeflow.target import BUNDLE
from pipeline.layout import Layout
from pipeline.lineage.store import LineageStore
from serving.runtime import SavedModel
from serving.versions import versions
from tests.command import PROJECT, Command

pytestmark = pytest.mark.slow

SETTINGS = (
    *("--label", "target", "--set", "training.steps=100", "--set", "training.batch_size=64"),
    *("--set", "name=tumors", "--set", "orchestration.image=waybill-pipeline:0.1.0"),
)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory, small_table: Path) -> Path:
    folder = tmp_path_factory.mktemp("kubeflow") / "compiled"
    command = [sys.executable, "-m", "pipeline.compile", "--data", str(small_table), *SETTINGS]
    done = subprocess.run(
        [*command, "--target", "kubeflow", "--out", str(folder)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def mounted(compiled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ConfigMap as the containers see it, and nothing else of the compiled folder."""
    folder = tmp_path_factory.mktemp("mounted")
    config_map = json.loads((compiled / "configmap.json").read_text())
    for name, text in config_map["data"].items():
        (folder / name).write_text(text)
    for name, text in config_map["binaryData"].items():
        (folder / name).write_bytes(base64.b64decode(text))
    return folder


@dataclasses.dataclass(frozen=True)
class Ended:
    """A command that a container would have run, and how it ended."""

    command: list[str]
    exit_code: int
    output: str


Run = Callable[..., list[Ended]]


@pytest.fixture(scope="module")
def run(compiled: Path, mounted: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Runs the compiled pipeline with parameters; gives what its tasks did."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    ended: list[Ended] = []

    class Process(subprocess_task_handler.SubprocessTaskHandler):
        """Runs a container's command without the container."""

        def __init__(self, image: str, full_command: list[str], **_: object) -> None:
            assert image == "waybill-pipeline:0.1.0"
            self.command = list(full_command)

        def run(self) -> status.Status:
            python, *words = self.command
            assert python == "python"
            words = [str(mounted) if word == BUNDLE else word for word in words]
            done = subprocess.run(
                [sys.executable, *words],
                cwd=elsewhere,
                env={**os.environ, "PYTHONPATH": str(PROJECT)},
                capture_output=True,
                text=True,
                check=False,
            )
            ended.append(Ended(self.command, done.returncode, done.stdout + done.stderr))
            return status.Status.FAILURE if done.returncode else status.Status.SUCCESS

    def call(**parameters: str) -> list[Ended]:
        ended.clear()
        local.init(
            local.SubprocessRunner(use_venv=False),
            pipeline_root=str(tmp_path_factory.mktemp("outputs")),
            raise_on_error=False,
        )
        components.load_component_from_file(str(compiled / "kubeflow.yaml"))(**parameters)
        return list(ended)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task_dispatcher.subprocess_task_handler, "SubprocessTaskHandler", Process)
        yield call


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("volume")


@pytest.fixture(scope="module")
def ended(run: Run, volume: Path, small_table: Path) -> list[Ended]:
    """A whole run."""
    root = volume / "output"
    return run(root=str(root), data=str(small_table.parent), metadata=str(Layout(root).metadata))


def flag(item: Ended, name: str) -> str:
    return item.command[item.command.index(name) + 1]


def test_every_command_of_the_pipeline_runs_in_its_order_to_a_pushed_model(
    ended: list[Ended], volume: Path
):
    assert [item.exit_code for item in ended] == [0, 0, 0], ended[-1].output
    nodes = [flag(item, "--node") for item in ended]
    assert [node.split(",")[0] for node in nodes] == ["ExampleGen", "Trainer", "BaselineResolver"]
    [version] = versions(volume / "output" / "serving" / "tumors")
    assert "serving_default" in SavedModel(version.path).signatures


def test_all_tasks_belong_to_one_run_in_the_lineage(ended: list[Ended], volume: Path):
    [run_id] = {flag(item, "--run-id") for item in ended}
    store = LineageStore(Layout(volume / "output").metadata)
    found = store.run(f"tumors-{run_id}")
    assert found is not None
    executions = store.placed(store.executions_of_run(found)).values()
    nodes = [node for item in ended for node in flag(item, "--node").split(",")]
    assert sorted(item.node for item in executions) == sorted(nodes)


def test_a_local_run_finds_nothing_left_to_do(
    ended: list[Ended], volume: Path, run_local: Command, small_table: Path
):
    result = run_local(volume / "output", "--data", str(small_table), *SETTINGS)
    assert result.exit_code == 0, result.stdout + result.stderr
    assert "nothing to do" in result.stdout


def test_a_local_run_shares_the_cache_and_is_listed_alike(
    ended: list[Ended], volume: Path, run_local: Command, small_table: Path
):
    root = volume / "output"
    longer = ("--set", "training.steps=120")
    result = run_local(root, "--data", str(small_table), *SETTINGS, *longer)
    # Whether the model is better is not what this is about.
    assert result.exit_code in (0, 4), result.stdout + result.stderr
    assert result.states["Transform"] == "cached"
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.lineage", "--store", str(root), "--json", "runs"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    local_run, remote_run = json.loads(done.stdout)["runs"]
    assert local_run.keys() == remote_run.keys()
    for found in (local_run, remote_run):
        assert (found["pipeline"], found["state"]) == ("tumors", "COMPLETE")
    assert remote_run["decision"] == "pushed"


def test_data_that_is_rejected_ends_the_run_without_another_attempt(
    run: Run, small_table: Path, tmp_path: Path
):
    rows = list(csv.reader(small_table.open()))
    with (tmp_path / small_table.name).open("w", newline="") as file:
        csv.writer(file).writerows([rows[0], *([*row[:-1], ""] for row in rows[1:])])
    root = tmp_path / "root"
    [only] = run(root=str(root), data=str(tmp_path), metadata=str(Layout(root).metadata))
    assert int(flag(only, "--retries")) > 0
    assert only.exit_code == DataRejected.exit_code, only.output
    assert "attempt 1 ended" not in only.output

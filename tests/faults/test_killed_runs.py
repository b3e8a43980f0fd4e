"""A run that is killed, anywhere, is continued by the same command."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from components.errors import Interrupted
from serving.versions import verify, versions
from tests.command import Command, Result, call

NODES = (
    "ExampleGen",
    "StatisticsGen",
    "SchemaGen",
    "ExampleValidator",
    "DataGate",
    "Transform",
    "Trainer",
    "Evaluator",
    "ServingCheck",
    "Pusher",
)
FLAGS = ("--label", "target", "--set", "training.steps=3000", "--set", "training.batch_size=64")


@pytest.fixture
def flags(small_table: Path) -> tuple[str, ...]:
    return ("--data", str(small_table), *FLAGS)


def stop_in(
    root: Path, flags: tuple[str, ...], node: str, number: signal.Signals, *, after_s: float = 0.0
) -> Result:
    """Starts the command and sends it a signal once `node` is running."""
    process = call(root, *flags)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(f"{node}: running"):
            time.sleep(after_s)
            if number == signal.SIGKILL:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)
            break
    stdout, stderr = process.communicate(timeout=120)
    return Result(process.returncode, stdout, stderr, root)


def unfinished(result: Result, pipeline: str) -> list[str]:
    return [
        node
        for node in (*NODES, "BaselineResolver")
        for execution in result.executions(pipeline, node)
        if execution.state in ("RUNNING", "NEW")
    ]


def served(root: Path) -> list[int]:
    """The versions a server would see; every one of them must be whole."""
    base = root / "serving" / "tumors"
    found = versions(base) if base.exists() else []
    assert all(not verify(version) for version in found)
    folders = [path for path in base.glob("[0-9]*")] if base.exists() else []
    assert len(folders) == len(found), "a folder that a server sees is not a whole version"
    return [version.number for version in found]


def test_a_run_killed_in_every_node_ends_as_one_that_was_not(
    run_local: Command, flags: tuple[str, ...], tmp_path: Path
) -> None:
    root = tmp_path / "root"
    killed = 0
    for node in NODES:
        stopped = stop_in(root, flags, node, signal.SIGKILL, after_s=0.05)
        killed += stopped.exit_code == -signal.SIGKILL
        assert len(served(root)) <= 1
    assert killed >= len(NODES) - 1, "the last node may end before the signal arrives"

    result = run_local(root, *flags)
    assert result.exit_code == 0, result.stdout + result.stderr
    assert served(root) == [1]
    assert unfinished(result, "tumors") == []
    assert not list(root.glob("artifacts/**/beam-temp-*"))

    whole = run_local(tmp_path / "other", *flags)
    assert result.report["candidate"] == whole.report["candidate"]


def test_training_goes_on_from_its_last_checkpoint(
    run_local: Command, flags: tuple[str, ...], tmp_path: Path
) -> None:
    root = tmp_path / "root"
    longer = (*flags, "--set", "training.steps=40000", "--set", "training.log_every_steps=100")
    process = call(root, *longer)
    watcher = threading.Timer(240, process.kill)
    watcher.start()
    checkpoints = root / "artifacts" / "tumors" / "Trainer" / "checkpoints"
    while process.poll() is None and len(list(checkpoints.glob("*/step-*"))) < 2:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    watcher.cancel()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    saved = sorted(checkpoints.glob("*/step-*"))
    assert saved
    result = run_local(root, *longer)
    assert result.exit_code == 0, result.stdout + result.stderr
    assert "Trainer: resumed at step" in result.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_cleanly(
    run_local: Command, flags: tuple[str, ...], tmp_path: Path, number: signal.Signals
) -> None:
    root = tmp_path / "root"
    stopped = stop_in(root, flags, "Transform", number, after_s=0.5)
    assert stopped.exit_code == Interrupted.exit_code, stopped.stdout + stopped.stderr
    assert unfinished(stopped, "tumors") == []
    [execution] = stopped.executions("tumors", "Transform")
    assert execution.state == "CANCELED"
    assert execution.properties["stopped"] == "interrupted"
    assert not list(root.glob(f"artifacts/tumors/Transform/*/{execution.id}"))
    result = run_local(root, *flags)
    assert result.exit_code == 0
    assert result.states["StatisticsGen"] == "cached"

"""A run that is killed, anywhere, is continued by the same command."""

from __future__ import annotations

import os
import signal
import subprocess
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
    "ModelCard",
    "Pusher",
)
FLAGS = ("--label", "target", "--set", "training.steps=3000", "--set", "training.batch_size=64")
SAVES_OFTEN = ("--set", "training.checkpoint_every_steps=200")


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
    # Beam adds up in another order from run to run.
    assert result.report["candidate"] == pytest.approx(whole.report["candidate"], rel=1e-6)


def test_training_goes_on_from_its_last_checkpoint(
    run_local: Command, flags: tuple[str, ...], tmp_path: Path
) -> None:
    root = tmp_path / "root"
    longer = (*flags, "--set", "training.steps=40000", *SAVES_OFTEN)
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


def begin_training(root: Path, flags: tuple[str, ...]) -> subprocess.Popen[str]:
    """Starts the command; returns when its training has done its first steps."""
    process = call(root, *flags)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Trainer: step"):
            return process
    raise AssertionError(f"no training began: {process.communicate()}")


def saved_steps(root: Path) -> list[int]:
    paths = (root / "artifacts" / "tumors" / "Trainer" / "checkpoints").glob("*/step-*.ckpt")
    return sorted(int(path.stem.split("-")[1]) for path in paths)


def test_an_interrupted_training_saves_and_goes_on_from_there(
    run_local: Command, flags: tuple[str, ...], tmp_path: Path
) -> None:
    root = tmp_path / "root"
    # It would save nothing of its own accord.
    endless = (*flags, "--set", "training.steps=1000000", "--set", "training.time_limit_s=12")
    rare = ("--set", "training.checkpoint_every_steps=1000000")
    process = begin_training(root, (*endless, *rare))
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=60)
    stopped = Result(process.returncode, stdout, stderr, root)
    assert stopped.exit_code == Interrupted.exit_code, stdout + stderr
    [step] = saved_steps(root)
    assert f"Trainer: stopped, and saved after step {step}" in stdout
    assert "Trainer: stopped in" in stdout
    assert unfinished(stopped, "tumors") == []
    result = run_local(root, *endless, *rare)
    assert result.exit_code == 0, result.stdout + result.stderr
    assert f"Trainer: resumed at step {step}" in result.stdout


def test_a_second_interrupt_ends_a_run_that_is_saving_at_once(
    flags: tuple[str, ...], tmp_path: Path
) -> None:
    root = tmp_path / "root"
    # A call of so many steps takes longer than anyone waits.
    slow = (
        *("--set", "training.steps=1000000", "--set", "training.execution.steps_per_call=10000"),
        *("--set", "training.model.hidden_units=[4096,4096]"),
        *("--set", "training.execution.jit_compile=false"),
    )
    process = call(root, *flags, *slow)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Trainer: CPU"):
            break
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.communicate(timeout=3)
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=10)
    assert process.returncode == Interrupted.exit_code, stdout + stderr
    assert saved_steps(root) == []
    assert unfinished(Result(process.returncode, stdout, stderr, root), "tumors") == []

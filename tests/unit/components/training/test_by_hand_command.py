"""The command, in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.components.training.datasets import PROJECT, Dataset
from tests.unit.components.training.test_by_hand import laid_out

OWN = """
import tensorflow as tf


def not_finite(labels, outputs):
    return tf.math.log(-1.0 - tf.square(outputs[:, 0]))
"""
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def run(taxi: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    root = laid_out(tmp_path_factory.mktemp("root"), taxi)
    own = tmp_path_factory.mktemp("own")
    (own / "own_loss.py").write_text(OWN)

    def call(*flags: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "components.training", "--root", str(root), *flags],
            cwd=PROJECT,
            env={**os.environ, "PYTHONPATH": str(own)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return call


@pytest.mark.slow
def test_it_trains_and_writes_the_model(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "x.yaml"
    config.write_text("training: {batch_size: 24}\n")
    found = run("--config", str(config), "--set", "training.steps=40", "--output", str(tmp_path))
    assert found.returncode == 0, found.stdout + found.stderr
    assert "step 40" in found.stdout
    assert "auc" in found.stdout
    # TensorFlow's chatter is not the user's.
    assert found.stderr == ""
    assert (tmp_path / "model" / "saved_model.pb").exists()
    assert json.loads((tmp_path / "history.json").read_text())["evaluations"][-1]["step"] == 40


@pytest.mark.slow
def test_check_numerics_names_the_operation_and_the_line(run: Run) -> None:
    found = run("--check-numerics", "--set", "training.loss.name=own_loss:not_finite")
    assert found.returncode == 1, found.stdout + found.stderr
    assert 'graph op "Log"' in found.stderr
    assert "NaN" in found.stderr
    assert "own_loss.py, line 6, in not_finite" in found.stderr


@pytest.mark.slow
def test_overfitting_one_batch_decides_the_exit_code(run: Run) -> None:
    good = run("--overfit-one-batch", "--set", "training.optimizer.learning_rate=0.02")
    assert good.returncode == 0, good.stdout + good.stderr
    assert "The network learns one batch by heart." in good.stdout
    bad = run("--overfit-one-batch", "--set", "training.optimizer.learning_rate=1e-9")
    assert bad.returncode == 1, bad.stdout + bad.stderr
    assert "does not learn even one batch" in bad.stdout


@pytest.mark.slow
def test_a_profile_names_the_operations_and_the_host_s_share(run: Run, tmp_path: Path) -> None:
    found = run("--profile", "--output", str(tmp_path))
    assert found.returncode == 0, found.stdout + found.stderr
    assert "MatMul" in found.stdout
    assert "waiting for batches" in found.stdout
    [trace] = tmp_path.glob("profile/plugins/profile/*/*.xplane.pb")
    assert str(trace) in found.stdout


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--set", "training.stepz=3"], "training.stepz is not a key. Did you mean 'steps'?"),
        (["--profile"], "--profile needs --output"),
        (["--examples", "x"], "--examples and --transform-graph go together"),
        (["--name", "nope"], "Run the pipeline first"),
    ],
)
def test_a_mistake_is_told_without_tensorflow(run: Run, flags: list[str], message: str) -> None:
    found = run(*flags)
    assert found.returncode == 2
    assert message in found.stderr
    assert "tensorflow" not in found.stderr.lower()

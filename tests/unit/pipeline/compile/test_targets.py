"""Settings that an orchestrator cannot run are told before anything is compiled."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from components.errors import ConfigError
from pipeline.compile.targets import TARGETS
from tests.command import PROJECT

# TensorFlow is what makes a compilation take long.
COMPILE = """
import sys
from pipeline.compile.__main__ import main
code = main(sys.argv[1:])
assert "tensorflow" not in sys.modules
sys.exit(code)
"""
NEEDS = {
    "airflow": ("orchestration.airflow.executor=kubernetes", "orchestration.image"),
    "kubeflow": ("orchestration.image=null", "orchestration.image"),
    "vertex": ("orchestration.image=x", "orchestration.vertex.folder"),
}


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "ir"])
def test_what_a_target_needs_is_asked_for_before_tensorflow_is_imported(
    target: str, tmp_path: Path
) -> None:
    given, missing = NEEDS[target]
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{n * n},{n % 2}\n" for n in range(100)))
    flags = ["--target", target, "--data", str(tmp_path / "t.csv"), "--label", "y", "--set", given]
    out = tmp_path / "compiled"
    done = subprocess.run(
        [sys.executable, "-c", COMPILE, *flags, "--out", str(out)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ConfigError.exit_code, done.stderr
    assert missing in done.stderr
    assert not out.exists()

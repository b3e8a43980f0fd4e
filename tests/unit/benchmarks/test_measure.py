import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.measure import PROJECT, BenchmarkError, Spread, measure


def test_time_is_that_of_the_whole_process(tmp_path):
    command = [sys.executable, "-c", "import time; time.sleep(0.3)"]
    assert measure(command, cwd=tmp_path, log=tmp_path / "log").wall_s >= 0.3


def test_memory_of_a_grandchild_counts(tmp_path):
    eats = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'bytearray(300_000_000)'])"
    )
    # In a process of its own: a child starts with the mark of its parent, and this one is large.
    code = (
        "import pathlib, sys; from benchmarks.measure import measure; here = pathlib.Path()\n"
        f"command = [sys.executable, '-c', {eats!r}]\n"
        f"print(measure(command, cwd=here, log=pathlib.Path({str(tmp_path / 'log')!r})).peak_bytes)"
    )
    out = subprocess.check_output([sys.executable, "-c", code], cwd=PROJECT)
    assert 300_000_000 < int(out) < 400_000_000


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="the processes of a tree are found in /proc")
def test_memory_of_processes_alive_together_is_added(tmp_path):
    eats = "x = bytearray(100_000_000); import time; time.sleep(1)"
    code = (
        "import subprocess, sys\n"
        f"eaters = [subprocess.Popen([sys.executable, '-c', {eats!r}]) for _ in range(2)]\n"
        "for eater in eaters:\n    eater.wait()\n"
    )
    sample = measure([sys.executable, "-c", code], cwd=tmp_path, log=tmp_path / "log")
    assert sample.tree_peak_bytes > 200_000_000


def test_failure_shows_the_exit_code_and_the_end_of_the_log(tmp_path):
    command = [sys.executable, "-c", "print('the cause'); raise SystemExit(3)"]
    with pytest.raises(BenchmarkError, match=r"(?s)Exit code 3.*the cause"):
        measure(command, cwd=tmp_path, log=tmp_path / "log")


def test_spread_holds_median_and_extremes():
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(median=2.0, min=1.0, max=3.0)

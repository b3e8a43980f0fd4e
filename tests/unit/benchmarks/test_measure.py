import sys

import pytest

from benchmarks.measure import BenchmarkError, Spread, measure


def test_time_is_that_of_the_whole_process(tmp_path):
    command = [sys.executable, "-c", "import time; time.sleep(0.3)"]
    assert measure(command, cwd=tmp_path, log=tmp_path / "log").wall_s >= 0.3


def test_memory_of_a_grandchild_counts(tmp_path):
    code = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'bytearray(300_000_000)'])"
    )
    sample = measure([sys.executable, "-c", code], cwd=tmp_path, log=tmp_path / "log")
    assert 300_000_000 < sample.peak_bytes < 600_000_000


def test_failure_shows_the_exit_code_and_the_end_of_the_log(tmp_path):
    command = [sys.executable, "-c", "print('the cause'); raise SystemExit(3)"]
    with pytest.raises(BenchmarkError, match=r"(?s)Exit code 3.*the cause"):
        measure(command, cwd=tmp_path, log=tmp_path / "log")


def test_spread_holds_median_and_extremes():
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(median=2.0, min=1.0, max=3.0)

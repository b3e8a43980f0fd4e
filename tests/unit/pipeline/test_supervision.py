"""Commands that are run again, and those that are not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline import supervision
from tests.command import PROJECT

# Ends with the exit codes that it is given, one an attempt; a negative one is a signal.
SCRIPT = """
import os, pathlib, sys
log = pathlib.Path(sys.argv[1])
done = log.read_text().split() if log.exists() else []
code = sys.argv[2:][len(done)]
log.write_text(" ".join([*done, code]))
if int(code) < 0:
    os.kill(os.getpid(), -int(code))
raise SystemExit(int(code))
"""


def attempts(log: Path) -> list[int]:
    return [int(code) for code in log.read_text().split()]


def run(log: Path, *codes: int, retries: int = 3) -> int:
    command = [sys.executable, "-c", SCRIPT, str(log), *map(str, codes)]
    return supervision.run(command, retries=retries, delay_s=0, timeout_s=None, worth_it=(75,))


def test_what_may_pass_is_tried_again_until_it_has_passed(tmp_path: Path):
    assert run(tmp_path / "log", 75, 75, 0) == 0
    assert attempts(tmp_path / "log") == [75, 75, 0]


@pytest.mark.parametrize("code", [0, 1, 3, 4, 5])
def test_what_would_end_the_same_is_not_tried_again(tmp_path: Path, code: int):
    assert run(tmp_path / "log", code) == code
    assert attempts(tmp_path / "log") == [code]


def test_a_refusal_after_a_failure_ends_it(tmp_path: Path):
    assert run(tmp_path / "log", 75, 3) == 3


def test_what_was_killed_is_tried_again(tmp_path: Path):
    assert run(tmp_path / "log", -signal.SIGKILL, 0) == 0


def test_the_last_attempt_decides(tmp_path: Path):
    assert run(tmp_path / "log", 75, 75, retries=1) == 75
    assert run(tmp_path / "other", -signal.SIGKILL, retries=0) == 128 + signal.SIGKILL


def test_another_attempt_is_announced_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run(tmp_path / "log", 75, 0)
    assert "attempt 1 ended with exit code 75; another one in 0 s" in capsys.readouterr().err


def test_an_attempt_that_takes_too_long_is_interrupted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    code = supervision.run(command, retries=0, delay_s=0, timeout_s=0.2, worth_it=())
    assert code == 128 + signal.SIGALRM
    assert "interrupted after 0.2 s" in capsys.readouterr().err


def test_who_stops_it_stops_the_command_for_good(tmp_path: Path):
    command = (
        "import pathlib, os, time; "
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid())); time.sleep(600)"
    )
    code = (
        "import signal, sys\n"
        "from pipeline import supervision\n"
        "signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
        f"command = [sys.executable, '-c', {command!r}]\n"
        "supervision.run(command, retries=5, delay_s=0, timeout_s=None, worth_it=(130,))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT, stderr=subprocess.DEVNULL)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert process.poll() is None
        time.sleep(0.02)
    process.terminate()
    assert process.wait(60) != 0
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)

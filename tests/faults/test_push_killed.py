"""A publisher that dies, or whose disk fails, at any point of its work leaves no half version.

One helper process forks a publisher for each point, because a fork of a small process is cheap: a
point is every line of the publishing code, and every file operation it causes.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FILE_OPERATIONS = {
    "open",
    "os.mkdir",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.scandir",
    "os.listdir",
    "fcntl.flock",
}


def test_publisher_killed_at_any_line_leaves_only_whole_versions(tmp_path: Path) -> None:
    outcome = run_trials(tmp_path, "kill")
    assert outcome["points"] > 200
    assert outcome["problems"] == []


def test_disk_that_fills_up_at_any_operation_leaves_nothing_behind(tmp_path: Path) -> None:
    outcome = run_trials(tmp_path, "fail")
    assert outcome["points"] > 30
    assert outcome["problems"] == []


def run_trials(folder: Path, what: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, __file__, str(folder), what],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


class Points:
    """Counts the points a publisher passes, and acts at the one it was told."""

    def __init__(self, stop_at: int, act: Callable[[], None], *, lines: bool) -> None:
        self.passed = 0
        self._stop_at = stop_at
        self._act = act
        self._real_fsync = os.fsync
        os.fsync = self._fsync  # type: ignore[assignment]
        sys.addaudithook(self._audit)
        if lines:
            sys.settrace(self._trace)

    def close(self) -> None:
        sys.settrace(None)
        self._stop_at = -1

    def _pass(self) -> None:
        self.passed += 1
        if self.passed == self._stop_at:
            self._act()

    def _audit(self, event: str, _: object) -> None:
        if event in FILE_OPERATIONS:
            self._pass()

    def _fsync(self, descriptor: int) -> None:
        self._pass()
        self._real_fsync(descriptor)

    def _trace(self, frame: Any, event: str, _: object) -> Any:
        if "/serving/" not in frame.f_code.co_filename:
            return None
        if event == "line":
            self._pass()
        return self._trace


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Trial:
    """One base folder with an earlier version, and a publisher that is stopped on its way."""

    def __init__(self, folder: Path, what: str) -> None:
        self.base = folder
        self._model = folder.parent / "model"
        self._what = what

    def prepare(self) -> None:
        self._publish("earlier")
        if self._what == "kill":
            # A publisher is killed while it removes what another killed one left, too.
            (self.base / ".tmp-2" / "variables").mkdir(parents=True)
            (self.base / ".tmp-2" / "saved_model.pb").write_text("half")

    def run(self, stop_at: int) -> tuple[int, int]:
        """Publishes in a fork; gives its exit status and the number of points it passed."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            self._publish_and_exit(stop_at, writer)
        os.close(writer)
        with os.fdopen(reader) as answers:
            passed = answers.read()
        return os.waitpid(child, 0)[1], int(passed or -1)

    def _publish_and_exit(self, stop_at: int, writer: int) -> None:
        from serving.errors import PublishError

        act = kill if self._what == "kill" else fail
        points = Points(stop_at, act, lines=self._what == "kill")
        status = 0
        try:
            self._publish("run")
        except PublishError:
            status = 1
        except BaseException:
            status = 2
        points.close()
        os.write(writer, str(points.passed).encode())
        os._exit(status)

    def _publish(self, key: str) -> None:
        from serving.versions import publish

        publish(self._model, self.base, key=key, properties={})

    def problems(self, status: int) -> list[str]:
        """What is wrong right after the publisher stopped, and after the next one finished."""
        found = []
        if self._what == "kill" and os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            found.append(f"was not killed: {status}")
        if self._what == "fail":
            if os.waitstatus_to_exitcode(status) not in (0, 1):
                found.append("did not raise a PublishError")
            found += [f"left {path.name}" for path in self.base.glob(".tmp-*")]
        found += self._unsound("after the stop")
        self._publish("run")
        found += self._unsound("after the retry")
        found += [f"retry left {path.name}" for path in self.base.glob(".tmp-*")]
        return found

    def _unsound(self, when: str) -> list[str]:
        from serving.versions import audit, versions

        found = [
            f"{when}: {problem}" for problems in audit(self.base).values() for problem in problems
        ]
        keys = [version.key for version in versions(self.base)]
        allowed = (["earlier", "run"],) if "retry" in when else (["earlier"], ["earlier", "run"])
        if keys not in allowed:
            found.append(f"{when}: published were {keys}")
        return found


def main(folder: Path, what: str) -> dict[str, Any]:
    from serving import versions  # noqa: F401  loaded before the first fork

    assert threading.active_count() == 1
    model = folder / "model"
    (model / "variables").mkdir(parents=True)
    (model / "saved_model.pb").write_text("graph")
    (model / "variables" / "variables.index").write_text("index")

    whole = Trial(folder / "0", what)
    whole.prepare()
    _, points = whole.run(stop_at=0)
    problems = []
    for point in range(1, points + 1):
        trial = Trial(folder / str(point), what)
        trial.prepare()
        status, _ = trial.run(stop_at=point)
        problems += [f"point {point}: {problem}" for problem in trial.problems(status)]
    return {"points": points, "problems": problems}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2])))

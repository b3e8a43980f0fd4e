"""A publisher that dies, or whose disk fails, at any point of its work leaves no half version.

One helper process forks a publisher for each point, because a fork of a small process is cheap: a
point is every line of the publishing code, and every file operation it causes. A push here is what
the pipeline's is: a version with extra files, the label in `models.config`, and the removal of an
old version.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
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
# What only computes cannot be killed at a wrong moment.
WRITERS = {"changes.py", "contents.py", "label_state.py", "locks.py", "shelves.py", "versions.py"}
LABEL = "stable"
CARD = "assets.extra/model_card.md"


def test_publisher_killed_at_any_line_leaves_only_whole_versions(tmp_path: Path) -> None:
    outcome = run_trials(tmp_path, "push", "kill")
    assert outcome["points"] > 200
    assert outcome["problems"] == []


def test_disk_that_fills_up_at_any_operation_leaves_nothing_behind(tmp_path: Path) -> None:
    outcome = run_trials(tmp_path, "push", "fail")
    assert outcome["points"] > 60
    assert outcome["problems"] == []


def test_rollback_killed_at_any_line_leaves_the_label_there_or_back(tmp_path: Path) -> None:
    outcome = run_trials(tmp_path, "rollback", "kill")
    assert outcome["points"] > 100
    assert outcome["problems"] == []


def test_rollback_on_a_disk_that_fills_up_leaves_the_label_there_or_back(tmp_path: Path) -> None:
    outcome = run_trials(tmp_path, "rollback", "fail")
    assert outcome["points"] > 20
    assert outcome["problems"] == []


def run_trials(folder: Path, work: str, what: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, __file__, str(folder), work, what],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


class Points:
    """Counts the points a publisher passes, and acts at the one it was told."""

    def __init__(self, stop_at: int, act: Callable[[], None], *, lines: bool) -> None:
        self.passed = 0
        self._visited: set[tuple[str, int]] = set()
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
        folder, _, module = frame.f_code.co_filename.rpartition("/")
        if not folder.endswith("/serving") or module not in WRITERS:
            return None
        if event == "line":
            # The second time round a loop, only its file operations are worth a point.
            place = (frame.f_code.co_filename, frame.f_lineno)
            if place not in self._visited:
                self._visited.add(place)
                self._pass()
        return self._trace


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Trial:
    """A model with two versions, and work on it that is stopped on its way."""

    def __init__(self, folder: Path, work: str, what: str) -> None:
        from serving.shelves import LocalShelf

        self.base = folder / "taxi"
        folder.mkdir()
        self._model = folder.parent / "model"
        self._work = work
        self._what = what
        self._shelf = LocalShelf(self.base)

    def prepare(self, template: Path) -> None:
        shutil.copytree(template, self.base.parent, dirs_exist_ok=True)
        if self._what == "kill":
            # A publisher is killed while it removes what another killed one left, too.
            (self.base / ".tmp-3" / "variables").mkdir(parents=True)
            (self.base / ".tmp-3" / "saved_model.pb").write_text("half")

    def run(self, stop_at: int) -> tuple[int, int]:
        """Does the work in a fork; gives its exit status and the number of points it passed."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            self._do_and_exit(stop_at, writer)
        os.close(writer)
        with os.fdopen(reader) as answers:
            passed = answers.read()
        return os.waitpid(child, 0)[1], int(passed or -1)

    def _do_and_exit(self, stop_at: int, writer: int) -> None:
        from serving.errors import LabelError, PublishError

        act = kill if self._what == "kill" else fail
        points = Points(stop_at, act, lines=self._what == "kill")
        status = 0
        try:
            self._do()
        except (PublishError, LabelError):
            status = 1
        except BaseException:
            status = 2
        points.close()
        os.write(writer, str(points.passed).encode())
        os._exit(status)

    def _do(self) -> None:
        from serving import changes

        if self._work == "push":
            self.push("run")
        else:
            changes.roll_back(self._shelf, LABEL)

    def push(self, key: str) -> None:
        from serving import changes

        card = self._model.with_name("card.md")
        version = self._shelf.publish(self._model, key=key, properties={}, extras={CARD: card})
        changes.announce(self._shelf, version.number, label=LABEL)
        changes.prune(self._shelf, keep=2)

    def problems(self, status: int) -> list[str]:
        """What is wrong right after the work stopped, and after it was done again."""
        found = []
        if self._what == "kill" and os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            found.append(f"was not killed: {status}")
        if self._what == "fail":
            if os.waitstatus_to_exitcode(status) not in (0, 1):
                found.append("did not raise an error of serving")
            # What cannot be removed stays, out of sight of servers, until it can be.
            left = [path.name for path in self._leftovers()]
            found += [f"left {name}" for name in left if not name.startswith(".tmp-removed-")]
        found += self._unsound("after the stop")
        if self._work == "rollback":
            if self._label() not in (1, 2):
                found.append(f"the label is on {self._label()}")
            if self._label() == 2:
                self._do()
            return found + ([] if self._label() == 1 else ["the rollback cannot be done again"])
        self.push("run")
        found += self._unsound("after the retry")
        found += [f"retry left {path.name}" for path in self._leftovers()]
        # A number that was noted and never seen is not given again.
        if self._label() != self._shelf.numbers()[-1]:
            found.append(f"after the retry: the label is on {self._label()}")
        return found

    def _label(self) -> int | None:
        from serving.labels import live

        return live(self.base, LABEL)

    def _leftovers(self) -> list[Path]:
        folders = (self.base, self.base.parent)
        return [
            path
            for folder in folders
            for pattern in (".tmp-*", ".*.draft")
            for path in folder.glob(pattern)
        ]

    def _unsound(self, when: str) -> list[str]:
        from serving.labels import config_of, read_config
        from serving.versions import audit, versions

        found = [
            f"{when}: {problem}" for problems in audit(self.base).values() for problem in problems
        ]
        keys = [version.key for version in versions(self.base)]
        before, after = ["first", "second"], ["second", "run"]
        allowed = (after,) if "retry" in when else (before, [*before, "run"], after)
        if keys not in allowed:
            found.append(f"{when}: published were {keys}")
        if not all((version.path / CARD).is_file() for version in versions(self.base)):
            found.append(f"{when}: a version lacks its card")
        # What a server would now be told to load, and what it would be asked for.
        served = read_config(config_of(self.base))["taxi"]
        here = {version.number for version in versions(self.base)}
        if not {*served.labels.values()} <= {*served.versions} <= here:
            found.append(f"{when}: {served} of {here}")
        return found


def main(folder: Path, work: str, what: str) -> dict[str, Any]:
    from serving import changes, shelves  # noqa: F401  loaded before the first fork

    assert threading.active_count() == 1
    model = folder / "model"
    (model / "variables").mkdir(parents=True)
    (model / "saved_model.pb").write_text("graph")
    (model / "variables" / "variables.index").write_text("index")
    (folder / "card.md").write_text("card")

    # Nothing here cuts the power, so nobody can tell whether the disk has it.
    os.fsync = lambda _: None
    template = folder / "template"
    ready = Trial(template, work, what)
    ready.push("first")
    ready.push("second")

    whole = Trial(folder / "0", work, what)
    whole.prepare(template)
    _, points = whole.run(stop_at=0)
    problems = []
    for point in range(1, points + 1):
        trial = Trial(folder / str(point), work, what)
        trial.prepare(template)
        status, _ = trial.run(stop_at=point)
        problems += [f"point {point}: {problem}" for problem in trial.problems(status)]
    return {"points": points, "problems": problems}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])))

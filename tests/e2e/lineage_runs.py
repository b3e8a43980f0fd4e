"""One root with a history, for all tests of lineage: it takes a minute to make.

    first     span 1, pushed as version 1
    refused   the same data, from the cache; the Evaluator refuses the model
    killed    the same data again; killed in the Trainer
    second    span 2, pushed as version 2

`tests/conftest.py` knows it. Whoever changes something in it works on a copy.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import filelock
import pytest

from pipeline.layout import Layout
from pipeline.lineage.store import LineageStore
from tests.command import Command, call

NAME = "tumors"
_QUICK = ("--set", f"name={NAME}", "--label", "target", "--set", "training.batch_size=32")
_EASY = ("--set", "evaluation.thresholds.auc.min=0.5")
_IMPOSSIBLE = ("--set", "evaluation.thresholds.auc.min=1.0")


@dataclass(frozen=True, kw_only=True)
class LineageRuns:
    """A root, and the ids of the runs in it.

    Attributes:
        root: of the pipeline.
        files: the raw file of each span, the first first.
        first: the run that pushed version 1.
        refused: the run whose model was refused.
        killed: the run that was killed.
        second: the run that pushed version 2.
    """

    root: Path
    files: tuple[Path, Path]
    first: str
    refused: str
    killed: str
    second: str

    @property
    def layout(self) -> Layout:
        return Layout(self.root)

    @property
    def reader(self) -> LineageStore:
        """Of the store in the root."""
        return LineageStore(self.layout.metadata)


@pytest.fixture(scope="session")
def lineage_runs(
    run_local: Command, small_table: Path, tmp_path_factory: pytest.TempPathFactory
) -> LineageRuns:
    """Runs the pipeline four times; all processes of a session share what that made."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, told = shared / "lineage", shared / "lineage.json"
    with filelock.FileLock(shared / "lineage.lock"):
        if not told.exists():
            folder.mkdir()
            told.write_text(json.dumps(_make(folder, run_local, small_table)))
        first, refused, killed, second = json.loads(told.read_text())
    return LineageRuns(
        root=folder / "root",
        files=(_file(folder, 1), _file(folder, 2)),
        first=first,
        refused=refused,
        killed=killed,
        second=second,
    )


def _file(folder: Path, span: int) -> Path:
    return folder / "data" / f"span-{span}" / "tumors.csv"


def _make(folder: Path, run_local: Command, small_table: Path) -> list[str]:
    """Makes the root in `folder`; returns the ids of the runs."""
    root, data = folder / "root", folder / "data"
    header, *rows = small_table.read_text().splitlines(keepends=True)
    half = len(rows) // 2

    def deliver(span: int, part: list[str]) -> None:
        path = _file(folder, span)
        path.parent.mkdir(parents=True)
        path.write_text("".join([header, *part]))

    flags = ("--data", str(data / "span-{SPAN}" / "tumors.csv"), *_QUICK)

    def run(exit_code: int, *more: str) -> None:
        result = run_local(root, *flags, *more)
        assert result.exit_code == exit_code, result.stdout + result.stderr

    deliver(1, rows[:half])
    run(0, *_EASY, "--set", "training.steps=40")
    run(4, *_IMPOSSIBLE, "--set", "training.steps=30")
    _kill(root, [*flags, *_EASY, "--set", "training.steps=100000"])
    deliver(2, rows[half:])
    run(0, *_EASY, "--set", "training.steps=40")
    ids = [item.id for item in LineageStore(Layout(root).metadata).runs()][::-1]
    assert len(ids) == 4
    assert all(before < after for before, after in pairwise(ids)), "ids are in the order of time"
    return ids


def _kill(root: Path, flags: Sequence[str]) -> None:
    """Starts a run, and kills it when the store knows that its Trainer runs."""
    process = call(root, *flags)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Trainer: running"):
            break
    store = LineageStore(Layout(root).metadata)
    while process.poll() is None:
        [newest, *_] = store.executions(NAME, "Trainer")
        if newest.state == "RUNNING":
            break
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL

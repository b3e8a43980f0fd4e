"""How long questions take on a store of 100,000 executions and a million artifacts.

Each is asked by a process of its own, as a user asks: its start and its imports count.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.lineage_store import Made
from benchmarks.measure import PROJECT, measure
from benchmarks.report import Table

NUM_RUNS_OF_STORE = 10_000
# What the product promises, in seconds; None where nothing is promised.
LIMITS: Mapping[str, float | None] = {
    "--help": 0.3,
    "runs": 1.0,
    "runs (the last page)": None,
    "show live": 1.0,
    "show RUN": None,
    "why RUN": None,
    "trace (a pushed version)": 1.0,
    "impact (the oldest file)": 5.0,
    "impact (its hash)": None,
    "diff (two runs)": None,
    "search (in the newest)": None,
}


@dataclass(frozen=True)
class Question:
    """What a question cost.

    Attributes:
        name: of `LIMITS`.
        num_executions: in the store.
        num_artifacts: in the store.
        wall_s: of the whole process.
        peak_bytes: its resident memory.
    """

    name: str
    num_executions: int
    num_artifacts: int
    wall_s: float
    peak_bytes: float

    @property
    def limit_s(self) -> float | None:
        """What is promised."""
        return LIMITS[self.name]


def ask_questions(
    scratch: Path,
    *,
    num_runs: int,
    say: Callable[[str], None],
    num_runs_of_store: int = NUM_RUNS_OF_STORE,
) -> list[Question]:
    """Makes the store, and asks each question some times.

    Args:
        scratch: an existing, empty directory to work in; needs 1.5 GB.
        num_runs: how often each is asked, in turns.
        say: called before each measurement with what is measured.
        num_runs_of_store: pipeline runs in the store, of ten executions each.

    Raises:
        BenchmarkError: a question was not answered.
    """
    say(f"a store of {10 * num_runs_of_store:,} executions")
    made = _make(scratch, num_runs_of_store)
    _serve(scratch / "serving", made)
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name in LIMITS}
    for number in range(num_runs):
        for name, flags in _flags(made).items():
            say(f"{name}, run {number + 1} of {num_runs}")
            command = [sys.executable, "-m", "pipeline.lineage", "--store", str(made.database)]
            sample = measure([*command, *flags], cwd=PROJECT, log=scratch / "log")
            costs[name].append((sample.wall_s, sample.peak_bytes))
    return [
        Question(
            name,
            made.num_executions,
            made.num_artifacts,
            median(wall_s for wall_s, _ in found),
            median(peak_bytes for _, peak_bytes in found),
        )
        for name, found in costs.items()
    ]


def _make(scratch: Path, num_runs: int) -> Made:
    """Makes the store in another process: a child starts with the memory mark of its parent."""
    target, log = scratch / "metadata.db", scratch / "made"
    command = [sys.executable, "-m", "benchmarks.lineage_store", str(target), str(num_runs)]
    measure(command, cwd=PROJECT, log=log)
    found = json.loads(log.read_text().splitlines()[-1])
    return Made(**found | {"database": target})


def _flags(made: Made) -> dict[str, Sequence[str]]:
    return {
        "--help": ["--help"],
        "runs": ["runs"],
        "runs (the last page)": ["runs", "--page", str(made.num_executions // 10 // 20)],
        "show live": ["show", "live"],
        "show RUN": ["show", made.newest_run],
        "why RUN": ["why", made.newest_run],
        "trace (a pushed version)": ["trace", "live"],
        "impact (the oldest file)": ["impact", made.oldest_file],
        "impact (its hash)": ["impact", f"sha256:{made.oldest_hash}"],
        "diff (two runs)": ["diff", made.oldest_run, made.newest_run],
        "search (in the newest)": ["search", "type=ModelBlessing", "blessed=0"],
    }


def _serve(folder: Path, made: Made) -> None:
    """Writes the manifest of a version that the store knows, and nothing a server could load."""
    from serving.contents import MANIFEST
    from serving.manifests import Manifest, to_json

    manifest = Manifest(
        number=int(made.pushed_version),
        key="benchmark",
        sha256="0" * 64,
        created="2026-01-01T00:00:00+00:00",
        properties={"run": made.pushed_run, "model": made.pushed_model},
        files=(),
    )
    version = folder / "segment" / made.pushed_version
    (version / MANIFEST).parent.mkdir(parents=True)
    (version / MANIFEST).write_text(to_json(manifest))


def table(found: Sequence[Question]) -> Table:
    """Time and memory of each question, beside what is promised."""
    rows = [
        [
            question.name,
            f"{question.wall_s:.2f}",
            f"{question.limit_s:g}" if question.limit_s is not None else "",
            f"{question.peak_bytes / 1e6:.0f}",
        ]
        for question in found
    ]
    size = f"{found[0].num_executions:,} executions and {found[0].num_artifacts:,} artifacts"
    missed = [
        f"{question.name} took {question.wall_s:.2f} s, promised are {question.limit_s:g} s."
        for question in found
        if question.limit_s is not None and question.wall_s > question.limit_s
    ]
    return Table(
        f"Questions to a store of {size}, SQLite, whole processes",
        ["python -m pipeline.lineage", "s", "promised", "peak MB"],
        rows,
        missed or ["Every promise is kept."],
    )

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.lineage import LIMITS, Question, ask_questions, table
from benchmarks.lineage_store import make_store
from pipeline.lineage.connection import parse
from pipeline.lineage.naming import Names
from pipeline.lineage.queries.impact import impact
from pipeline.lineage.queries.runs import list_runs
from pipeline.lineage.queries.trace import trace
from pipeline.lineage.store import LineageStore


def test_the_store_that_is_made_is_one_of_ml_metadata(tmp_path: Path) -> None:
    made = make_store(tmp_path / "metadata.db", num_runs=8, num_pipelines=2)
    assert made.num_executions == 80
    assert made.num_artifacts >= 10 * made.num_executions
    store = LineageStore(parse(str(made.database)))
    names = Names(reader=store, folder=tmp_path / "serving")
    [newest, *_] = list_runs(store).rows
    assert newest.run.id == made.newest_run
    assert newest.num_cached == 5
    [pushed] = store.artifacts_at(made.pushed_model)
    found = trace(store, names.find(f"artifact:{pushed.id}"))
    assert [source.artifact.type for source in found.data] == ["Examples"] * 9
    touched = impact(store, names.find(made.oldest_file))
    assert {item.execution.run for item in touched.models if item.execution} == {made.oldest_run}
    assert len(touched.models) == 11


def test_every_question_is_asked_and_slow_ones_are_named(tmp_path: Path) -> None:
    found = ask_questions(tmp_path, num_runs=1, say=lambda _: None, num_runs_of_store=40)
    assert [question.name for question in found] == list(LIMITS)
    slow = Question("runs", 10, 100, 1.5, 1e8)
    shown = table([slow, Question("show RUN", 10, 100, 9.0, 1e8)])
    assert list(shown.notes) == ["runs took 1.50 s, promised are 1 s."]
    kept = table([Question("runs", 10, 100, 0.5, 1e8)])
    assert list(kept.notes) == ["Every promise is kept."]


def test_the_benchmark_can_be_asked_for_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"], capture_output=True, text=True, check=True
    )
    assert "lineage" in done.stdout

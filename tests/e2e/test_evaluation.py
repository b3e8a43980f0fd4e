"""The decision as a user meets it: what is refused, how it is shown, and what is compared."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.command import PROJECT, Command, Result

METRIC = """
def missed(labels, predictions, weights):
    return float(((predictions <= 0.5) & (labels == 1)).mean())
"""


class Run(NamedTuple):
    """A call of the command, and the report it left before the next one replaced it."""

    result: Result
    report: dict[str, Any]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory, small_table: Path) -> Path:
    """Tumours, with the clinic they were seen in: a small category."""
    path = tmp_path_factory.mktemp("clinics") / "tumors.csv"
    (path.parent / "clinic_metrics.py").write_text(METRIC)
    header, *lines = small_table.read_text().splitlines()
    rows = [f"{'north' if at % 3 else 'south'},{line}" for at, line in enumerate(lines)]
    path.write_text("\n".join([f"clinic,{header}", *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def runs(
    run_local: Command, table: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Run]:
    """A good model, a worse one, a better one that is rolled back, and one more, twice."""
    root = tmp_path_factory.mktemp("evaluation") / "root"

    def run(steps: int) -> Run:
        result = run_local(
            root,
            *("--data", str(table), "--label", "target"),
            *("--set", f"training.steps={steps}"),
            *("--set", "evaluation.thresholds={auc: {min: 0.5, max_loss: 0.02}}"),
            *("--set", "evaluation.slice_thresholds={clinic: {log_loss: {max_loss: 0.2}}}"),
        )
        return Run(result, result.report)

    found = {"first": run(150), "worse": run(1), "second": run(160)}
    versions = root / "serving" / "tumors"
    rolled_back = subprocess.run(
        [sys.executable, "-m", "serving.models", "rollback", "--serving", str(versions.parent)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert rolled_back.returncode == 0, rolled_back.stderr
    found["after rollback"] = run(170)
    found["again"] = run(170)
    return found


@pytest.fixture(scope="module")
def evaluations(runs: dict[str, Run]) -> list[dict[str, Any]]:
    """What every evaluation wrote, the first one first."""
    found = []
    for execution in reversed(runs["again"].result.executions("tumors", "Evaluator")):
        evaluation = execution.output("evaluation")
        if execution.state == "COMPLETE" and evaluation is not None:
            found.append(json.loads((Path(evaluation.uri) / "evaluation.json").read_text()))
    return found


def test_a_first_model_has_nothing_to_be_compared_with(
    runs: dict[str, Run], evaluations: list[dict[str, Any]]
) -> None:
    first = runs["first"].result
    assert first.exit_code == 0, first.stdout + first.stderr
    assert evaluations[0]["baseline"]["status"] == "none"
    assert evaluations[0]["decision"]["blessed"]


def test_small_categories_are_sliced_by_unasked(evaluations: list[dict[str, Any]]) -> None:
    names = [item["name"] for item in evaluations[-1]["slices"]]
    assert names == ["all examples", "clinic=north", "clinic=south"]


def test_a_worse_model_is_refused_with_a_table_that_says_where(
    runs: dict[str, Run], evaluations: list[dict[str, Any]]
) -> None:
    worse, report = runs["worse"]
    assert worse.exit_code == 4, worse.stdout + worse.stderr
    lines = [line.rstrip() for line in worse.stdout.splitlines()]
    [header] = [line for line in lines if line.startswith("threshold on")]
    assert header.split() == [
        *("threshold", "on", "slice", "candidate"),
        *("baseline", "interval", "bound", "verdict"),
    ]
    missed = [line.split() for line in lines if line.endswith("missed")]
    assert any(line[:2] == ["log_loss", "clinic=north"] for line in missed)
    assert "decision  not good enough" in worse.stdout
    assert "log_loss on clinic=north: changed by +" in report["reason"]
    assert report["pushed_to"] == ""
    found = evaluations[1]["baseline"]
    assert (found["status"], found["version"]) == ("compared", 1)


def test_the_baseline_is_what_is_live_not_what_was_blessed_last(
    runs: dict[str, Run], evaluations: list[dict[str, Any]]
) -> None:
    assert runs["second"].report["pushed_to"].endswith("/2")
    assert runs["after rollback"].report["pushed_to"].endswith("/3")
    found = evaluations[3]["baseline"]
    assert (found["status"], found["version"]) == ("compared", 1)


def test_a_candidate_that_is_live_is_not_judged_again(
    runs: dict[str, Run], evaluations: list[dict[str, Any]]
) -> None:
    again, report = runs["again"]
    assert again.exit_code == 0
    assert {node["state"] for node in report["nodes"] if "Resolver" not in node["id"]} == {"cached"}
    assert len(evaluations) == 4


def test_a_metric_that_cannot_be_found_needs_no_tensorflow(table: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pipeline import run_local\ncode = run_local.main(sys.argv[1:])\n"
        "print('tensorflow' in sys.modules, 'tfx' in sys.modules)\nsys.exit(code)\n"
    )
    flags = ("--root", str(tmp_path / "root"), "--data", str(table), "--label", "target")
    done = subprocess.run(
        [
            *(sys.executable, "-c", code, *flags),
            *("--set", "evaluation.metrics={missed: clinic_metrics:misses}"),
        ],
        cwd=PROJECT,
        env={"PYTHONPATH": str(table.parent), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "evaluation.metrics.missed" in done.stderr
    assert "has no function misses" in done.stderr
    assert done.stdout.splitlines()[-1] == "False False"

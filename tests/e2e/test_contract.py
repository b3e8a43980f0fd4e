"""The data contract in real runs: what stops, what is told, what the next run compares with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from components.ingestion import sources
from components.ingestion.settings import DataSettings
from tests.command import Command, Result

BEFORE_GATE = {"ExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator"}
DRIFT = ("--set", "validation.drift={numeric: 0.9}", "--to", "DataGate")


@pytest.fixture(scope="module")
def trips(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes a part of the taxi data, changed."""
    header, *rows = sources.resolve(DataSettings()).files[0].read_text().splitlines()
    names = header.split(",")

    def write(name: str, first: int, lost: str = "", cash: int = 0) -> Path:
        """Every fifth row from `first` on, without a column; every `cash`-th is paid in cash."""
        cells = [row.split(",") for row in [header, *rows[first::5]]]
        for number, row in enumerate(cells[1:]):
            if cash and number % cash == 0:
                row[names.index("payment_type")] = "Cash"
        kept = [index for index, column in enumerate(names) if column != lost]
        path = tmp_path_factory.mktemp("data") / name
        text = "\n".join(",".join(row[index] for index in kept) for row in cells)
        path.write_text(text + "\n")
        return path

    return write


def test_a_lost_column_stops_the_run_before_anything_is_learned(
    run_local: Command, trips: Callable[..., Path], tmp_path: Path
) -> None:
    data = trips("trips.csv", 0, lost="company")
    result = run_local(tmp_path / "root", "--data", str(data))
    assert result.exit_code == 3, result.stdout + result.stderr
    for text in (
        f"{data} breaks its contract in 1 place",
        "'company' (train split): the column is absent; the schema requires it (text)",
        f"Put the column 'company' back into {data}.",
        f"python -m pipeline.schema check {data} --schema ",
        "--accept company:missing_column",
        "validation.features.company.missing_column: warn",
        "report/run.json",
    ):
        assert text in result.stderr
    assert len(result.stderr.splitlines()) < 12
    for node in result.states:
        done = [item.state for item in result.executions("taxi", node)]
        expected = {"DataGate": ["FAILED"]}.get(node, ["COMPLETE"] if node in BEFORE_GATE else [])
        assert done == expected, node
    found = result.report["findings"]
    assert [(item["feature"], item["rule"], item["split"]) for item in found] == [
        ("company", "missing_column", "train"),
        ("company", "missing_column", "eval"),
    ]
    assert not list(tmp_path.glob("root/serving/*/[0-9]*"))


def test_a_second_run_is_compared_with_the_last_accepted_data(
    run_local: Command, trips: Callable[..., Path], tmp_path: Path
) -> None:
    first, like = trips("trips.csv", 0), trips("trips.csv", 1)
    moved = trips("trips.csv", 2, cash=2)

    def run(data: Path, *flags: str) -> Result:
        return run_local(tmp_path / "root", "--data", str(data), *DRIFT, *flags)

    alone = run(first)
    assert alone.exit_code == 0, alone.stderr
    assert "drift: nothing to compare with" in alone.stdout

    drifted = run(moved)
    assert drifted.exit_code == 3
    assert "'payment_type' (train split): its L-infinity distance from the last" in drifted.stderr
    assert "above the threshold 0.1: 'Cash' " in drifted.stderr
    assert "validation.drift.features.payment_type" in drifted.stderr

    same = run(like)
    assert same.exit_code == 0, same.stderr
    assert "compared with the last accepted data; nearest to its threshold is" in same.stdout

    # Rejected data is never what others are compared with, and the same run again is cached.
    warned = run(moved, "--set", "validation.rules.drift=warn")
    assert warned.exit_code == 0, warned.stderr
    assert "'payment_type' (train split): its L-infinity distance" in warned.stdout
    [gate, *_] = warned.executions("taxi", "DataGate")
    blessing = gate.output("blessing")
    assert blessing is not None
    assert json.loads(blessing.text("rules")) == ["drift"]
    assert blessing.properties["num_warnings"] == len(warned.report["warnings"]) > 0
    [like_gate, *_] = same.executions("taxi", "StatisticsGen")[1:]
    assert gate.inputs["accepted_statistics"] == like_gate.outputs["statistics"]
    again = run(moved, "--set", "validation.rules.drift=warn")
    assert "nothing to do" in again.stdout
    assert again.ran - {"AcceptedDataResolver"} == set()


def test_requests_that_differ_from_the_training_data_stop(
    run_local: Command, trips: Callable[..., Path], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.mkdir()
    rows = [{"payment_type": "Cash", "company": "Blue", "fare": 5.0 + n % 9} for n in range(500)]
    (log / "day.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    flags = ("--data", str(trips("trips.csv", 0)), "--to", "DataGate")
    result = run_local(
        tmp_path / "root", *flags, "--set", f"validation.serving_log={log}",
        "--set", "validation.look_rows=400",
    )  # fmt: skip
    assert result.exit_code == 3, result.stdout + result.stderr
    assert "'payment_type' (train split): its L-infinity distance from the logged" in result.stderr
    assert str(log) in result.stderr


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        ("validation.features.compny.nan=warn", "Did you mean 'company'"),
        ("validation.drift.features.compny=0.1", "Did you mean 'company'"),
        ("validation.rules.nann=warn", "Did you mean 'nan'"),
        ("validation.serving_log=/nowhere", "validation.serving_log: /nowhere is no folder"),
    ],
)
def test_what_does_not_exist_is_refused_at_once(
    run_local: Command, tmp_path: Path, assignment: str, says: str
) -> None:
    result = run_local(tmp_path / "root", "--set", assignment)
    assert result.exit_code == 2
    assert says in result.stderr
    assert not (tmp_path / "root").exists()

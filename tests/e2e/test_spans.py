"""Deliveries that come one after the other, and tables of other formats, through the pipeline."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
import pytest
import yaml

from components.ingestion.settings import DataSettings
from components.ingestion.sources import resolve
from tests.command import PROJECT, Command, Result

QUICK = ("--set", "training.steps=40", "--set", "training.batch_size=32")
NAME = ("--set", "name=tumors", "--label", "target")


@pytest.fixture
def tables(small_table: Path) -> list[str]:
    """The rows of the small table in two halves, each with the header."""
    header, *rows = small_table.read_text().splitlines(keepends=True)
    half = len(rows) // 2
    return ["".join([header, *rows[:half]]), "".join([header, *rows[half:]])]


def _examples(result: Result) -> dict:
    """The properties of the newest Examples artifact."""
    [execution, *_] = result.executions("tumors", "ExampleGen")
    artifact = execution.output("examples")
    assert artifact is not None
    return dict(artifact.properties)


def _num_rows(result: Result) -> int:
    """How many rows the newest run had: the next one in the same root replaces the report."""
    return sum(result.report["rows"].values())


def test_a_new_span_is_new_data_and_a_window_reads_both(
    run_local: Command, tables: list[str], tmp_path: Path
) -> None:
    def deliver(span: int, version: int) -> None:
        folder = tmp_path / "trips" / f"span-{span}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"v{version}.csv").write_text(tables[span - 1])

    path = str(tmp_path / "trips" / "span-{SPAN}" / "v{VERSION}.csv")

    def run(*flags: str) -> Result:
        result = run_local(
            tmp_path / "root", "--data", path, *NAME, *QUICK, "--to", "DataGate", *flags
        )
        assert result.exit_code == 0, result.stdout + result.stderr
        return result

    def fingerprint(**settings: object) -> str:
        return resolve(DataSettings.model_validate({"path": path, **settings})).content_hash

    deliver(1, version=1)
    first = run()
    assert "ExampleGen" in first.ran
    totals = [_num_rows(first)]
    found = _examples(first)
    assert (found["span"], found["version"]) == (1, 1)
    assert found["input_fingerprint"] == fingerprint(span=1)
    assert run().ran == set()

    deliver(2, version=7)
    planned = run("--dry-run").stdout
    assert "the data changed" in planned
    second = run()
    assert "ExampleGen" in second.ran
    totals.append(_num_rows(second))
    found = _examples(second)
    assert (found["span"], found["version"]) == (2, 7)
    assert found["input_fingerprint"] == fingerprint(span=2) != fingerprint(span=1)

    window = run("--set", "data.window=2")
    found = _examples(window)
    assert (found["span"], found["spans"]) == (2, "1-2")
    totals.append(_num_rows(window))
    assert totals == [*(table.count("\n") - 1 for table in tables), totals[0] + totals[1]]

    assert "ExampleGen" not in run("--set", "data.span=1").ran, "the first span is known"

    deliver(2, version=8)
    corrected = run()
    assert "ExampleGen" in corrected.ran, "a correction is new data"
    assert _examples(corrected)["version"] == 8


def test_a_span_that_is_not_there_ends_before_anything_runs(
    run_local: Command, tables: list[str], tmp_path: Path
) -> None:
    (tmp_path / "s1.csv").write_text(tables[0])
    path = str(tmp_path / "s{SPAN}.csv")
    result = run_local(tmp_path / "root", "--data", path, *NAME, "--set", "data.span=4")
    assert result.exit_code == 2
    assert "There is no span 4 (data.span)" in result.stderr
    assert "there are 1." in result.stderr


def test_a_parquet_table_is_described_and_learned_from(
    run_local: Command, small_table: Path, tmp_path: Path
) -> None:
    table = tmp_path / "tumors.parquet"
    pq.write_table(arrow_csv.read_csv(small_table), table, row_group_size=100)
    folder = tmp_path / "mine"
    command = [sys.executable, "-m", "pipeline.init", "tumors", "--dir", str(folder)]
    done = subprocess.run(
        [*command, "--data", str(table), "--label", "target"], cwd=PROJECT, check=False
    )
    assert done.returncode == 0
    result = run_local(tmp_path / "root", "--config", str(folder / "tumors.yaml"), *QUICK)
    assert result.exit_code == 0, result.stdout + result.stderr
    assert result.report["candidate"]["auc"] > 0.9
    plain = run_local(
        tmp_path / "csv", "--data", str(small_table), *NAME, *QUICK, "--to", "ExampleGen"
    )
    assert result.report["rows"] == plain.report["rows"], "the same rows are in the same splits"


def test_init_keeps_how_the_table_is_written(run_local: Command, tmp_path: Path) -> None:
    rows = [f"{row % 17};{row % 5 / 4};{'später' if row * 7 % 3 else 'früh'}" for row in range(300)]
    table = tmp_path / "tables" / "old.csv"
    table.parent.mkdir()
    table.write_bytes("\n".join(rows).encode("latin-1"))
    folder = tmp_path / "mine"
    command = [sys.executable, "-m", "pipeline.init", "old", "--dir", str(folder)]
    flags = ["--data", str(table), "--label", "when"]
    for key, value in (
        ("delimiter", "';'"),
        ("encoding", "latin-1"),
        ("header", "false"),
        ("columns", "[count, size, when]"),
    ):
        flags += ["--set", f"data.{key}={value}"]
    done = subprocess.run([*command, *flags], cwd=PROJECT, check=False)
    assert done.returncode == 0
    written = yaml.safe_load((folder / "old.yaml").read_text())
    assert written["data"] == {
        "path": "../tables/old.csv",
        "delimiter": ";",
        "encoding": "iso8859-1",
        "header": False,
        "columns": ["count", "size", "when"],
    }
    result = run_local(
        tmp_path / "root", "--config", str(folder / "old.yaml"), "--to", "ExampleGen"
    )
    assert result.exit_code == 0, result.stdout + result.stderr
    assert sum(result.report["rows"].values()) == 300


def test_a_test_split_goes_through_and_is_not_judged_on(
    run_local: Command, small_table: Path, tmp_path: Path
) -> None:
    table = arrow_csv.read_csv(small_table)
    shuffled = table.take(pa.array([(7 * i) % len(table) for i in range(len(table))]))
    for name, part in (
        ("train", shuffled.slice(0, 350)),
        ("eval", shuffled.slice(350, 119)),
        ("test", shuffled.slice(469)),
    ):
        (tmp_path / "d" / name).mkdir(parents=True)
        arrow_csv.write_csv(part, tmp_path / "d" / name / "rows.csv")
    result = run_local(tmp_path / "root", "--data", str(tmp_path / "d"), *NAME, *QUICK)
    assert result.exit_code == 0, result.stdout + result.stderr
    found = _examples(result)
    assert [found[f"num_rows_{split}"] for split in ("train", "eval", "test")] == [350, 119, 100]
    assert result.report["candidate"]["example_count"] == 119

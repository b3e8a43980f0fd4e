"""What must not be pushed is not, and the exit code and the message say why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from components.ingestion import sources
from components.ingestion.settings import DataSettings
from tests.command import PROJECT, Command, Result, call

HEAVY = {"tensorflow", "tfx", "apache_beam", "tensorflow_data_validation"}


def taxi_rows() -> list[str]:
    return sources.resolve(DataSettings()).files[0].read_text().splitlines()


def nothing_was_pushed(result: Result) -> bool:
    return not list(result.root.glob("serving/*/[0-9]*"))


def nothing_is_running(result: Result, pipeline: str, node: str) -> bool:
    return all(item.state not in ("RUNNING", "NEW") for item in result.executions(pipeline, node))


def drop_column(rows: list[str], name: str) -> list[str]:
    at = rows[0].split(",").index(name)
    return [
        ",".join(cell for index, cell in enumerate(row.split(",")) if index != at) for row in rows
    ]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda rows: drop_column(rows, "payment_type"), "payment_type"),
        (lambda rows: [row.replace("Credit Card", "Shells") for row in rows], "payment_type"),
        (lambda rows: [rows[0], *(f"x{row}" for row in rows[1:])], "pickup_community_area"),
    ],
    ids=["column gone", "unknown category", "text in a number"],
)
def test_bad_data_stops_before_transform(
    run_local: Command, tmp_path: Path, damage: object, says: str
) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("\n".join(damage(taxi_rows()[:3000])) + "\n")  # type: ignore[operator]
    result = run_local(tmp_path / "root", "--data", str(bad), "--set", "evaluation.slices=[]")
    assert result.exit_code == 3, result.stdout + result.stderr
    assert f"'{says}'" in result.stderr
    assert "schema.pbtxt" in result.stderr
    assert result.report["decision"] == "data rejected"
    assert not result.executions("taxi", "Transform")
    assert nothing_is_running(result, "taxi", "DataGate")
    assert nothing_was_pushed(result)


def test_a_model_that_misses_a_threshold_is_not_pushed_now_or_later(
    run_local: Command, small_table: Path, tmp_path: Path
) -> None:
    flags = (
        *("--data", str(small_table), "--label", "target", "--set", "training.steps=20"),
        *("--set", "evaluation.thresholds={auc: {min: 0.9999}}"),
    )
    first = run_local(tmp_path / "root", *flags)
    assert first.exit_code == 4, first.stdout + first.stderr
    assert "auc on all examples" in first.stdout
    assert "is below 0.9999" in first.stdout
    assert nothing_was_pushed(first)
    again = run_local(tmp_path / "root", *flags)
    assert again.exit_code == 4
    assert again.ran == set()


def test_a_refused_run_leaves_the_served_model_alone(
    run_local: Command, small_table: Path, tmp_path: Path
) -> None:
    flags = ("--data", str(small_table), "--label", "target", "--set", "training.steps=40")
    good = run_local(tmp_path / "root", *flags)
    assert good.exit_code == 0, good.stdout + good.stderr
    refused = run_local(
        tmp_path / "root", *flags, "--set", "evaluation.thresholds={auc: {min: 1.0}}"
    )
    assert refused.exit_code == 4
    assert [path.name for path in tmp_path.glob("root/serving/*/[0-9]*")] == ["1"]


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--config", "taxy"), "Did you mean 'taxi'"),
        (("--config", "nowhere.yaml"), "nowhere.yaml"),
        (("--data", "nowhere.csv"), "nowhere.csv"),
        (("--set", "training.stps=3"), "Did you mean 'steps'"),
        (("--set", "training.steps=many"), "training.steps"),
        (("--set", "evaluation.slices=[[payment]]"), "payment"),
        (("--from", "Trainr"), "Did you mean 'Trainer'"),
        (("--label", "income"), "--data"),
    ],
)
def test_a_wrong_flag_is_one_line_and_needs_no_tensorflow(
    tmp_path: Path, flags: tuple[str, ...], says: str
) -> None:
    code = (
        "import sys\n"
        "from pipeline import run_local\n"
        "code = run_local.main(sys.argv[1:])\n"
        f"print(sorted({HEAVY!r} & sys.modules.keys()))\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--root", str(tmp_path / "root"), *flags],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("module", ["pipeline.run_local", "pipeline.init"])
def test_help_needs_no_tensorflow_and_documents_the_exit_codes(module: str) -> None:
    code = (
        f"import sys, runpy\nsys.argv = ['x', '--help']\n"
        f"try:\n    runpy.run_module({module!r}, run_name='__main__')\n"
        f"except SystemExit:\n    print(sorted({HEAVY!r} & sys.modules.keys()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "exit codes" in done.stdout


def test_a_dry_run_writes_nothing(run_local: Command, tmp_path: Path) -> None:
    done = run_local(tmp_path / "root", "--dry-run")
    assert done.exit_code == 0
    assert "no earlier result" in done.stdout
    assert not (tmp_path / "root").exists()


def test_a_second_run_on_one_root_is_refused(
    run_local: Command, small_table: Path, tmp_path: Path
) -> None:
    flags = ("--data", str(small_table), "--label", "target", "--set", "training.steps=20")
    first = call(tmp_path / "root", *flags)
    assert first.stdout is not None
    assert any("running" in line for line in first.stdout)
    second = run_local(tmp_path / "root", *flags)
    assert second.exit_code == 6
    assert "Another run" in second.stderr
    first.communicate(timeout=300)
    assert first.returncode == 0

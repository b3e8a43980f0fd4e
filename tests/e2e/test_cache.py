"""What an edit re-runs, and what it leaves alone: seen in the report and in the metadata store."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.command import Command, Result

AFTER_TRAINER = {"Trainer", "Evaluator", "ServingCheck", "ModelCard", "Pusher"}
AFTER_TRANSFORM = {"Transform", *AFTER_TRAINER}
ALL = {"ExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "DataGate"} | AFTER_TRANSFORM
QUICK = ("--label", "target", "--set", "training.steps=40", "--set", "training.batch_size=32")


@pytest.fixture
def table(small_table: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "tumors.csv"
    copy.write_bytes(small_table.read_bytes())
    return copy


@pytest.fixture(scope="module")
def whole(
    run_local: Command, small_table: Path, tmp_path_factory: pytest.TempPathFactory
) -> Result:
    """A first run; whoever takes something from it lets it be made again."""
    root = tmp_path_factory.mktemp("whole") / "root"
    result = run_local(root, "--data", str(small_table), *QUICK)
    assert result.exit_code == 0, result.stdout + result.stderr
    return result


def ran_everywhere(result: Result) -> set[str]:
    """The nodes that ran; the command and the metadata store must agree."""
    assert result.exit_code == 0, result.stdout + result.stderr
    assert result.latest_ran("tumors") == result.ran
    return result.ran


def test_an_edit_reruns_only_what_it_can_affect(
    run_local: Command, project_copy: Path, table: Path, tmp_path: Path
) -> None:
    def run(*flags: str) -> Result:
        return run_local(
            tmp_path / "root", "--data", str(table), *QUICK, *flags, project=project_copy
        )

    assert ran_everywhere(run()) == ALL
    first = run().report["pushed_to"]

    assert ran_everywhere(run("--set", "training.optimizer.learning_rate=0.005")) == AFTER_TRAINER

    # Back to the first settings: its model is known, but it is judged against the one in between.
    back = run()
    assert ran_everywhere(back) == {"Evaluator", "ModelCard", "Pusher"}
    assert back.report["pushed_to"] != first

    code = project_copy / "components" / "transform" / "preprocessing.py"
    code.write_text(code.read_text() + "\n# An edit.\n")
    assert ran_everywhere(run()) == AFTER_TRANSFORM

    # The same bytes at another time are the same data.
    table.touch()
    assert run().ran == set()

    with table.open("a") as file:
        file.write(table.read_text().splitlines()[1] + "\n")
    assert ran_everywhere(run()) == ALL


def test_a_lost_artifact_is_made_again(
    run_local: Command, small_table: Path, whole: Result
) -> None:
    [trainer] = whole.executions("tumors", "Trainer")
    model = trainer.output("model")
    assert model is not None
    shutil.rmtree(model.uri)
    again = run_local(whole.root, "--data", str(small_table), *QUICK)
    assert again.exit_code == 0
    assert "is gone" in {node["id"]: node["why"] for node in again.report["nodes"]}["Trainer"]
    assert again.ran == AFTER_TRAINER


def test_worker_processes_do_the_same_work(
    run_local: Command, small_table: Path, whole: Result, tmp_path: Path
) -> None:
    flags = ("--data", str(small_table), *QUICK, "--set", "beam.num_workers=2")
    workers = run_local(tmp_path / "workers", *flags)
    assert workers.exit_code == 0, workers.stdout + workers.stderr
    assert workers.report["rows"] == whole.report["rows"]
    assert workers.report["candidate"]["auc"] == pytest.approx(
        whole.report["candidate"]["auc"], abs=0.05
    )


def test_to_ends_early_and_the_next_run_goes_on(
    run_local: Command, small_table: Path, tmp_path: Path
) -> None:
    flags = ("--data", str(small_table), *QUICK)
    # -v and --to are also flags of the libraries, with other meanings.
    early = run_local(tmp_path / "root", *flags, "--to", "DataGate", "-v")
    assert early.exit_code == 0, early.stdout + early.stderr
    assert "INFO:absl" in early.stderr
    assert not (tmp_path / "root" / "logs").exists()
    assert early.ran == ALL - AFTER_TRANSFORM
    assert not (tmp_path / "root" / "serving").exists()
    rest = run_local(tmp_path / "root", *flags)
    assert rest.ran == AFTER_TRANSFORM

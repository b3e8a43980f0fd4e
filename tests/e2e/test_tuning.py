"""A run that searches for its settings first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.training.by_hand.inputs import find_inputs
from pipeline.lineage.models import Artifact, Execution
from tests.command import Command, Result

CONFIG = """
name: tumors
data: {{path: {data}}}
label: {{column: target}}
training: {{steps: 60, batch_size: 32}}
tuning:
  max_trials: {trials}
  objective: auc
  space:
    training.optimizer.learning_rate: {{min: 0.001, max: 0.1, sampling: log}}
    training.model.hidden_units: {{values: [[16], [8, 4]]}}
"""


def config(folder: Path, data: Path, trials: int) -> str:
    path = folder / "tumors.yaml"
    path.write_text(CONFIG.format(data=data, trials=trials))
    return str(path)


@pytest.fixture(scope="module")
def tuned_run(
    run_local: Command, small_table: Path, tmp_path_factory: pytest.TempPathFactory
) -> Result:
    """A cold run with two trials; the tests that share it must not change its root."""
    folder = tmp_path_factory.mktemp("tuned")
    result = run_local(folder / "root", "--config", config(folder, small_table, 2))
    assert result.exit_code == 0, result.stdout + result.stderr
    return result


def newest(result: Result, node: str) -> Execution:
    return result.executions("tumors", node)[0]


def output(execution: Execution, key: str) -> Artifact:
    found = execution.output(key)
    assert found is not None
    return found


@pytest.mark.slow
def test_the_best_values_train_the_model(tuned_run: Result) -> None:
    tuner, trainer = newest(tuned_run, "Tuner"), newest(tuned_run, "Trainer")
    results = output(tuner, "tuner_results")
    rows = json.loads(Path(results.uri, "trials.json").read_text())
    assert [row["state"] for row in rows] == ["completed", "completed"]
    best = max(rows, key=lambda row: row["score"])
    # The lineage leads from the values to the model.
    [read] = trainer.inputs["hyperparameters"]
    assert read.id == output(tuner, "best_hyperparameters").id
    for artifact in (read, results):
        assert json.loads(artifact.text("values")) == best["values"]
        # ML Metadata keeps six digits.
        assert artifact.properties["score"] == pytest.approx(best["score"], abs=1e-6)
        assert artifact.properties["best_trial"] == best["trial"]
        assert artifact.text("objective") == "auc"
    # The model is the one of the best trial, to the last digit.
    run = Path(output(trainer, "model_run").uri)
    assert json.loads((run / "hyperparameters.json").read_text()) == best["values"]
    history = json.loads((run / "history.json").read_text())
    assert history["evaluations"][-1]["metrics"] == best["metrics"]
    assert {"Tuner", "Trainer"} <= tuned_run.ran
    for row in rows:
        assert f"trial {row['trial']} of 2: auc " in tuned_run.stdout
    assert "found by the Tuner: optimizer.learning_rate " in tuned_run.stdout


@pytest.mark.slow
def test_what_transform_left_can_be_trained_on_by_hand(tuned_run: Result) -> None:
    inputs = find_inputs(tuned_run.root)
    assert inputs.data_spec.label.column == "target"
    graph = output(newest(tuned_run, "Transform"), "transform_graph")
    assert str(inputs.transform_graph) == graph.uri
    assert list(inputs.examples.glob("Split-train/*.gz"))


@pytest.mark.slow
def test_only_what_decides_the_search_repeats_it(
    tuned_run: Result, run_local: Command, small_table: Path, tmp_path: Path
) -> None:
    same = config(tmp_path, small_table, 2)

    def would_run(*flags: str) -> set[str]:
        found = run_local(tuned_run.root, "--dry-run", *flags)
        assert found.exit_code == 0, found.stdout + found.stderr
        lines = [line.split() for line in found.stdout.splitlines()]
        return {words[0] for words in lines if len(words) > 1 and words[1] == "run"}

    def of_cacheable(nodes: set[str]) -> set[str]:
        return nodes - {"BaselineResolver"}

    assert of_cacheable(would_run("--config", same)) == set()
    served = would_run("--config", same, "--set", "serving_check.num_rows=8")
    assert not {"Tuner", "Trainer"} & served
    expected = {"Tuner", "Trainer", "Evaluator", "ServingCheck", "ModelCard", "Pusher"}
    more = config(tmp_path, small_table, 3)
    assert of_cacheable(would_run("--config", more)) == expected


def test_without_a_tuning_section_there_is_no_tuner(
    run_local: Command, small_table: Path, tmp_path: Path
) -> None:
    found = run_local(
        tmp_path / "root", "--data", str(small_table), "--label", "target", "--dry-run"
    )
    assert found.exit_code == 0, found.stdout + found.stderr
    assert "Trainer" in found.stdout
    assert "Tuner" not in found.stdout


def test_a_wrong_space_is_told_before_anything_runs(
    run_local: Command, small_table: Path, tmp_path: Path
) -> None:
    flags = ("--config", config(tmp_path, small_table, 2))
    found = run_local(
        tmp_path / "root",
        *flags,
        "--set",
        "tuning.space={training.optimizer.lerning_rate: {values: [1]}}",
    )
    assert found.exit_code == 2
    assert "Did you mean 'learning_rate'?" in found.stderr
    assert not (tmp_path / "root").exists()

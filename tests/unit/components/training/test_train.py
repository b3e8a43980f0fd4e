from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components import progress
from components.errors import ConfigError, DataRejected
from components.training.checkpoints import Checkpoints
from components.training.guard import Diverged
from components.training.job import Job
from components.training.run_fn import run_fn
from components.training.train import Trained, train
from tests.unit.components.training.core import assert_same
from tests.unit.components.training.datasets import Dataset, job


def history(root: Path) -> dict:
    return json.loads((root / "Trainer" / "model_run" / "1" / "history.json").read_text())


def model(root: Path) -> Path:
    return root / "Trainer" / "model" / "1" / "Format-Serving"


def trained(wanted: Job, folder: Path) -> Trained:
    return train(wanted, Checkpoints(folder, wanted.facts()))


def reports(wanted: Job, folder: Path) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    with progress.listen(lambda node, values: seen.append({"node": node} | values)):
        trained(wanted, folder)
    return seen


def poisoned(path: Path, source: Dataset, split: str, column: str, place: int) -> str:
    """A copy of a split's first file, in which one value is not a number; returns its path."""
    [first, *_] = sorted(tf.io.gfile.glob(source.files(split)))
    records = tf.data.TFRecordDataset(first, "GZIP").as_numpy_iterator()
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for number, record in enumerate(records):
            example = tf.train.Example.FromString(record)
            if number == 30:
                example.features.feature[column].float_list.value[place] = float("nan")
            writer.write(example.SerializeToString())
    return str(path)


def test_training_learns(datasets: dict[str, Dataset], tmp_path: Path) -> None:
    found = {}
    for problem, dataset in datasets.items():
        wanted = job(dataset, steps=300, optimizer={"learning_rate": 0.005})
        learned = trained(wanted, tmp_path / problem).history
        assert [evaluation.step for evaluation in learned.evaluations] == [75, 150, 225, 300]
        found[problem] = learned.evaluations[-1].metrics
    assert found["binary"]["auc"] > 0.92
    assert found["binary"]["rows"] == 600
    assert found["multiclass"]["accuracy"] > 0.85
    # Better than the mean, by the one thing that these columns tell: long trips go far.
    assert found["regression"]["loss"] < 0.9


def test_a_run_leaves_a_model_and_its_learning_curve(taxi: Dataset, tmp_path: Path) -> None:
    run_fn(
        taxi.fn_args(
            tmp_path,
            steps=60,
            watch={"log_every_steps": 20, "evaluate_every_steps": 30, "norms": True},
            optimizer={"learning_rate": 0.01},
        )
    )
    assert (model(tmp_path) / "saved_model.pb").exists()
    curve = history(tmp_path)["curve"]
    assert [point["step"] for point in curve] == [20, 40, 60]
    assert curve[0]["loss"] > curve[2]["loss"]
    assert curve[0]["learning_rate"] == pytest.approx(0.0075)
    assert all(point["gradient_norm"] > 0 and point["weight_norm"] > 0 for point in curve)
    evaluations = history(tmp_path)["evaluations"]
    assert [evaluation["step"] for evaluation in evaluations] == [30, 60]
    assert set(evaluations[1]["metrics"]) == {"rows", "loss", "accuracy", "auc"}


def test_progress_is_reported_up_to_the_last_step(taxi: Dataset, tmp_path: Path) -> None:
    seen = reports(job(taxi, steps=30, execution={"steps_per_call": 10}), tmp_path)
    assert {values["node"] for values in seen} == {"Trainer"}
    steps = [values for values in seen if "step" in values]
    expected = {"step", "total", "loss", "learning_rate", "examples_per_s", "seconds_left"}
    assert set(steps[0]) - {"node"} == expected
    assert (steps[-1]["step"], steps[-1]["total"]) == (30, 30)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, ["CPU", "1,200 rows in memory", "no XLA"]),
        ({"input": {"cache_bytes": 0}}, ["rows streamed in windows of"]),
        (
            {"execution": {"jit_compile": True, "precision": "mixed_bfloat16"}},
            ["; XLA", "mixed_bfloat16"],
        ),
    ],
)
def test_where_and_how_it_runs_is_said(
    taxi: Dataset, tmp_path: Path, settings: dict[str, Any], words: list[str]
) -> None:
    [note] = [v["note"] for v in reports(job(taxi, steps=1, **settings), tmp_path) if "note" in v]
    assert all(word in note for word in words)


@pytest.mark.parametrize("remainder", ["carry", "pad"])
def test_data_of_less_than_a_batch_is_trained_on(
    wine: Dataset, tmp_path: Path, remainder: str
) -> None:
    wanted = job(wine, steps=20, batch_size=512, input={"remainder": remainder})
    curve = trained(wanted, tmp_path).history.curve
    assert curve[-1].step == 20
    assert curve[-1].loss < 1.0


def test_streamed_data_is_trained_on_like_data_in_memory(taxi: Dataset, tmp_path: Path) -> None:
    losses = []
    for cache_bytes in (0, 2**28):
        wanted = job(taxi, epochs=8, input={"cache_bytes": cache_bytes})
        learned = trained(wanted, tmp_path / str(cache_bytes)).history
        assert learned.curve[-1].step == 8 * 1200 / 64
        losses.append(learned.evaluations[-1].metrics["loss"])
    assert losses[0] == pytest.approx(losses[1], abs=0.02)


def test_eval_steps_bound_the_rows_that_are_evaluated(taxi: Dataset, tmp_path: Path) -> None:
    learned = trained(job(taxi, steps=1, batch_size=16, watch={"eval_steps": 3}), tmp_path).history
    assert learned.evaluations[0].metrics["rows"] == 48


def test_a_finished_training_is_not_repeated(taxi: Dataset, tmp_path: Path) -> None:
    wanted = job(taxi, steps=20, optimizer={"ema": 0.9})
    first = trained(wanted, tmp_path)
    seen: list[dict[str, Any]] = []
    with progress.listen(lambda node, values: seen.append(values)):
        again = trained(wanted, tmp_path)
    assert not any("step" in values for values in seen)
    assert again.history == first.history
    assert_same(again.learner.model_values(), first.learner.model_values())


def test_another_configuration_starts_anew_and_success_deletes_the_old_one(
    taxi: Dataset, tmp_path: Path
) -> None:
    checkpoints = tmp_path / "Trainer" / "checkpoints"
    run_fn(taxi.fn_args(tmp_path, steps=2))
    [first] = checkpoints.iterdir()
    run_fn(taxi.fn_args(tmp_path, steps=2, seed=1))
    [second] = checkpoints.iterdir()
    run_fn(taxi.fn_args(tmp_path, steps=2, seed=1, code="edited"))
    [third] = checkpoints.iterdir()
    assert len({first, second, third}) == 3


def test_class_weights_are_learned_from_the_labels_of_the_data(
    taxi: Dataset, tmp_path: Path
) -> None:
    learner = trained(job(taxi, steps=1, loss={"class_weights": "balanced"}), tmp_path).learner
    [weights] = (v.numpy() for v in learner.head.variables)
    assert weights[1] > 1 > weights[0]
    assert 1 / weights[0] + 1 / weights[1] == pytest.approx(2)


def test_a_regression_has_no_classes_to_balance(fares: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"training\.input\.balance: a regression has no classes"):
        trained(job(fares, steps=1, input={"balance": True}), tmp_path)


@pytest.mark.parametrize("cache_bytes", [0, 2**28])
def test_a_value_that_is_not_finite_is_named_and_no_model_is_written(
    taxi: Dataset, tmp_path: Path, cache_bytes: int
) -> None:
    fn_args = taxi.fn_args(
        tmp_path / "run",
        steps=400,
        checkpoint_every_steps=2,
        guard={"policy": "rollback"},
        input={"cache_bytes": cache_bytes},
    )
    fn_args.train_files = [poisoned(tmp_path / "a.gz", taxi, "train", "numeric", 1)]
    message = (
        r"the loss is nan at step \d+, because the feature 'trip_miles' "
        r"\(transformed, in 'numeric'\) is nan in row \d+ of that batch\. No model was written"
    )
    with pytest.raises(DataRejected, match=message):
        run_fn(fn_args)
    assert not model(tmp_path / "run").exists()
    assert not list((tmp_path / "run").glob("**/history.json"))


def test_a_value_that_is_not_finite_in_the_eval_split_is_named(
    taxi: Dataset, tmp_path: Path
) -> None:
    bad = poisoned(tmp_path / "a.gz", taxi, "eval", "numeric", 0)
    wanted = dataclasses.replace(job(taxi, steps=2), eval_files=(bad,))
    message = "eval split is not finite, because the feature 'fare' .* is nan in row 30"
    with pytest.raises(DataRejected, match=message):
        trained(wanted, tmp_path / "ck")


def test_a_label_that_is_not_finite_is_named(fares: Dataset, tmp_path: Path) -> None:
    bad = poisoned(tmp_path / "a.gz", fares, "train", "label", 0)
    wanted = dataclasses.replace(job(fares, steps=2), train_files=(bad,))
    with pytest.raises(DataRejected, match=r"1 of .* labels of the column 'fare' are wrong"):
        trained(wanted, tmp_path / "ck")


def test_a_training_that_diverges_writes_no_model(fares: Dataset, tmp_path: Path) -> None:
    wild = {"name": "sgd", "learning_rate": 10.0, "schedule": "constant"}
    with pytest.raises(Diverged, match="all values of its batch are finite"):
        run_fn(fares.fn_args(tmp_path, steps=200, optimizer=wild))
    assert not model(tmp_path).exists()


def test_an_eval_split_without_rows_has_no_metrics(taxi: Dataset, tmp_path: Path) -> None:
    empty = tmp_path / "empty.gz"
    with tf.io.TFRecordWriter(str(empty), "GZIP"):
        pass
    wanted = dataclasses.replace(job(taxi, steps=1), eval_files=(str(empty),))
    assert trained(wanted, tmp_path / "ck").history.evaluations[0].metrics == {"rows": 0}


def test_a_checkpoint_of_another_configuration_is_refused_with_the_keys_that_differ(
    taxi: Dataset, tmp_path: Path
) -> None:
    trained(job(taxi, steps=2), tmp_path)
    with pytest.raises(ConfigError) as caught:
        trained(job(taxi, steps=2, seed=1, optimizer={"ema": 0.5}), tmp_path)
    assert "training.optimizer.ema: 0.0 → 0.5; training.seed: 0 → 1." in str(caught.value)


def test_xla_is_used_where_it_is_asked_for_and_changes_little(
    taxi: Dataset, tmp_path: Path
) -> None:
    values = []
    for jit_compile in (False, True):
        wanted = job(taxi, steps=100, execution={"jit_compile": jit_compile})
        values.append(trained(wanted, tmp_path / str(jit_compile)).learner.model_values())
    for value, other in zip(*values, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-2, atol=1e-3)

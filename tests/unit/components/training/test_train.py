from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components import progress
from components.errors import NodeFailed
from components.training.checkpoints import Checkpoints
from components.training.model import InputShape
from components.training.run_fn import run_fn
from components.training.settings import TrainingSettings
from components.training.train import steps_per_call, train
from tests.unit.components.training.datasets import Dataset, job


def history(root: Path) -> dict:
    return json.loads((root / "Trainer" / "model_run" / "1" / "history.json").read_text())


def model(root: Path) -> Path:
    return root / "Trainer" / "model" / "1" / "Format-Serving"


def test_training_learns(datasets: dict[str, Dataset], tmp_path: Path) -> None:
    found = {}
    for problem, dataset in datasets.items():
        wanted = job(dataset, steps=300, learning_rate=0.005)
        _, learned = train(wanted, Checkpoints(tmp_path, key=problem))
        assert [evaluation.step for evaluation in learned.evaluations] == [300]
        found[problem] = learned.evaluations[0].metrics
    assert found["binary"]["auc"] > 0.92
    assert found["binary"]["rows"] == 600
    assert found["multiclass"]["accuracy"] > 0.85
    # Better than the mean, by the one thing that these columns tell: long trips go far.
    assert found["regression"]["loss"] < 0.9


def test_a_run_leaves_a_model_and_its_learning_curve(taxi: Dataset, tmp_path: Path) -> None:
    run_fn(
        taxi.fn_args(
            tmp_path, steps=60, log_every_steps=20, evaluate_every_steps=30, learning_rate=0.01
        )
    )
    assert (model(tmp_path) / "saved_model.pb").exists()
    curve = history(tmp_path)["curve"]
    assert [point["step"] for point in curve] == [20, 40, 60]
    assert curve[0]["loss"] > curve[2]["loss"]
    assert curve[0]["learning_rate"] == pytest.approx(0.0075)
    evaluations = history(tmp_path)["evaluations"]
    assert [evaluation["step"] for evaluation in evaluations] == [30, 60]
    assert set(evaluations[1]["metrics"]) == {"rows", "loss", "accuracy", "auc"}


def test_progress_is_reported_up_to_the_last_step(taxi: Dataset, tmp_path: Path) -> None:
    seen = []
    with progress.listen(lambda node, values: seen.append((node, values))):
        train(job(taxi, steps=30, steps_per_call=10), Checkpoints(tmp_path, key="key"))
    assert {node for node, _ in seen} == {"Trainer"}
    assert set(seen[0][1]) == {"step", "total", "loss", "examples_per_s"}
    assert (seen[-1][1]["step"], seen[-1][1]["total"]) == (30, 30)


def test_data_of_less_than_a_batch_is_trained_on(wine: Dataset, tmp_path: Path) -> None:
    _, learned = train(job(wine, steps=20, batch_size=512), Checkpoints(tmp_path, key="key"))
    assert learned.curve[-1].step == 20


def test_eval_steps_bound_the_rows_that_are_evaluated(taxi: Dataset, tmp_path: Path) -> None:
    _, learned = train(
        job(taxi, steps=1, batch_size=16, eval_steps=3), Checkpoints(tmp_path, key="key")
    )
    assert learned.evaluations[0].metrics["rows"] == 48


def test_a_finished_training_is_not_repeated(taxi: Dataset, tmp_path: Path) -> None:
    first, curve = train(job(taxi, steps=20), Checkpoints(tmp_path, key="key"))
    seen: list[dict] = []
    with progress.listen(lambda node, values: seen.append(values)):
        again, same_curve = train(job(taxi, steps=20), Checkpoints(tmp_path, key="key"))
    assert not any("step" in values for values in seen)
    assert same_curve == curve
    for a, b in zip(first.values(), again.values(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_another_configuration_starts_anew_and_success_deletes_the_old_one(
    taxi: Dataset, tmp_path: Path
) -> None:
    checkpoints = tmp_path / "Trainer" / "checkpoints"
    run_fn(taxi.fn_args(tmp_path, steps=2))
    (first,) = checkpoints.iterdir()
    run_fn(taxi.fn_args(tmp_path, steps=2, seed=1))
    (second,) = checkpoints.iterdir()
    run_fn(taxi.fn_args(tmp_path, steps=2, seed=1, code="edited"))
    (third,) = checkpoints.iterdir()
    assert len({first, second, third}) == 3


def test_a_loss_that_is_not_finite_stops_before_a_model_is_written(
    taxi: Dataset, tmp_path: Path
) -> None:
    fn_args = taxi.fn_args(tmp_path / "run", steps=40, checkpoint_every_steps=2)
    poisoned = tmp_path / "poisoned.gz"
    (source, *_) = tf.io.gfile.glob(taxi.files("train"))
    records = tf.data.TFRecordDataset(source, "GZIP").as_numpy_iterator()
    with tf.io.TFRecordWriter(str(poisoned), "GZIP") as writer:
        for number, record in enumerate(records):
            example = tf.train.Example.FromString(record)
            if number == 300:
                example.features.feature["numeric"].float_list.value[0] = float("nan")
            writer.write(example.SerializeToString())
    fn_args.train_files = [str(poisoned)]
    with pytest.raises(NodeFailed, match=r"loss is nan at step \d+; no model was written"):
        run_fn(fn_args)
    assert not model(tmp_path / "run").exists()


def test_an_eval_split_without_rows_has_no_metrics(taxi: Dataset, tmp_path: Path) -> None:
    empty = tmp_path / "empty.gz"
    with tf.io.TFRecordWriter(str(empty), "GZIP"):
        pass
    wanted = dataclasses.replace(job(taxi, steps=1), eval_files=(str(empty),))
    _, learned = train(wanted, Checkpoints(tmp_path, key="key"))
    assert learned.evaluations[0].metrics == {"rows": 0}


def test_wide_rows_and_large_batches_run_in_shorter_calls() -> None:
    settings = TrainingSettings(batch_size=8192, steps_per_call=50)
    assert steps_per_call(settings, InputShape(10, 5, 100)) == 50
    assert steps_per_call(settings, InputShape(900, 99, 100)) == 2
    assert steps_per_call(settings, InputShape(90_000, 9, 100)) == 1

"""Any table: a file and a label are enough."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.command import PROJECT, Command, Result

QUICK = ("--set", "training.steps=400")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One root for several pipelines: they share the metadata store."""
    return tmp_path_factory.mktemp("own") / "root"


def table(name: str, folder: Path) -> Path:
    """One of scikit-learn's data sets as CSV."""
    from sklearn import datasets

    data = getattr(datasets, f"load_{name}")(as_frame=True)
    frame = data.frame
    if name == "wine":
        frame["target"] = frame["target"].map({0: "Barolo", 1: "Grignolino", 2: "Barbera"})
    path = folder / f"{name}.csv"
    frame.to_csv(path, index=False)
    return path


def ask(result: Result, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The pushed model's answers."""
    import tensorflow as tf

    model = tf.saved_model.load(result.report["pushed_to"])
    examples = []
    for row in rows:
        example = tf.train.Example()
        for name, value in row.items():
            example.features.feature[name].float_list.value.append(value)
        examples.append(example.SerializeToString())
    answers = model.signatures["serving_default"](examples=tf.constant(examples))
    return {name: tensor.numpy() for name, tensor in answers.items()}


def test_binary_with_text_labels(run_local: Command, small_table: Path, root: Path) -> None:
    result = run_local(root, "--data", str(small_table), "--label", "target", *QUICK)
    assert result.exit_code == 0, result.stdout + result.stderr
    assert result.report["candidate"]["auc"] > 0.93
    assert "binary" in result.stdout
    answers = ask(result, [{}])
    assert set(answers["classes"][0]) == {b"benign", b"malignant"}


def test_multiclass_with_text_labels(run_local: Command, root: Path, tmp_path: Path) -> None:
    result = run_local(root, "--data", str(table("wine", tmp_path)), "--label", "target", *QUICK)
    assert result.exit_code == 0, result.stdout + result.stderr
    assert result.report["candidate"]["accuracy"] > 0.9
    assert set(ask(result, [{}])["classes"][0]) == {b"Barolo", b"Grignolino", b"Barbera"}


def test_multiclass_with_number_labels(run_local: Command, root: Path, tmp_path: Path) -> None:
    result = run_local(root, "--data", str(table("digits", tmp_path)), "--label", "target", *QUICK)
    assert result.exit_code == 0, result.stdout + result.stderr
    assert result.report["candidate"]["accuracy"] > 0.9
    assert set(ask(result, [{}])["classes"][0]) == {str(digit).encode() for digit in range(10)}


def test_regression(run_local: Command, root: Path, tmp_path: Path) -> None:
    path = table("diabetes", tmp_path)
    result = run_local(root, "--data", str(path), "--label", "target", *QUICK)
    assert result.exit_code == 0, result.stdout + result.stderr
    # The label's standard deviation is 77: a constant prediction is no better than that.
    assert result.report["candidate"]["rmse"] < 65
    assert 100 < ask(result, [{}])["prediction"][0, 0] < 200


def test_tfrecord_data(run_local: Command, root: Path) -> None:
    result = run_local(root, "--data", "builtin:penguin", "--label", "species", *QUICK)
    assert result.exit_code == 0, result.stdout + result.stderr
    assert result.report["candidate"]["accuracy"] > 0.9


def test_init_writes_what_was_inferred_and_it_runs(
    run_local: Command, small_table: Path, tmp_path: Path
) -> None:
    import yaml
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    folder = tmp_path / "mine"

    def init() -> int:
        command = [sys.executable, "-m", "pipeline.init", "mine", "--dir", str(folder)]
        flags = ["--data", str(small_table), "--label", "target"]
        return subprocess.run([*command, *flags], cwd=PROJECT, check=False).returncode

    assert init() == 0
    written = yaml.safe_load((folder / "mine.yaml").read_text())
    assert written["label"] == {"column": "target", "problem": "binary"}
    schema = text_format.Parse((folder / "schema.pbtxt").read_text(), schema_pb2.Schema())
    [label] = [feature for feature in schema.feature if feature.name == "target"]
    assert list(label.not_in_environment) == ["SERVING"]

    result = run_local(tmp_path / "root", "--config", str(folder / "mine.yaml"), *QUICK)
    assert result.exit_code == 0, result.stdout + result.stderr
    assert init() == 2, "a second call must not overwrite what was edited"

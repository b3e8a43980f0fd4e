from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from components.features import Problem
from components.training.checkpoints import Checkpoints
from components.training.export import export
from components.training.learner import Learner
from components.training.train import train
from tests.unit.components.training.datasets import Dataset, job, serialized

PROBLEMS: tuple[Problem, ...] = ("binary", "multiclass", "regression")

# Run by an interpreter that sees neither this project nor its environment variables.
CLIENT = """
import sys, json
import tensorflow as tf
assert not any(name.split(".")[0] in ("components", "tensorflow_transform") for name in sys.modules)
model = tf.saved_model.load(sys.argv[1])
examples = [bytes.fromhex(line) for line in open(sys.argv[2]).read().split("\\n")]
answer = model.signatures["serving_default"](tf.constant(examples, tf.string))
plain = lambda a: a.astype(str).tolist() if a.dtype == object else a.tolist()
json.dump({name: plain(tensor.numpy()) for name, tensor in answer.items()}, open(sys.argv[3], "w"))
"""


class Exported:
    """A trained model, in memory and as a SavedModel."""

    def __init__(self, dataset: Dataset, learner: Learner, folder: Path) -> None:
        self.dataset = dataset
        self.learner = learner
        self.folder = folder
        self.loaded = tf.saved_model.load(str(folder))

    def ask(self, signature: str, **inputs: Any) -> dict[str, np.ndarray]:
        answer = self.loaded.signatures[signature](
            **{name: tf.constant(value) for name, value in inputs.items()}
        )
        return {name: tensor.numpy() for name, tensor in answer.items()}

    def expected_scores(self, rows: list[dict[str, Any]]) -> np.ndarray:
        """What the model in memory answers, given what TensorFlow Transform makes of `rows`."""
        output = tft.TFTransformOutput(str(self.dataset.graph))
        spec = self.dataset.spec
        types = {"float": tf.float32, "int": tf.int64, "bytes": tf.string}
        parse = {f.name: tf.io.VarLenFeature(types[f.dtype]) for f in spec.features}
        raw = tf.io.parse_example([serialized(row) for row in rows], parse)
        columns = output.transform_raw_features(raw, drop_unused_features=True)
        features = {n: columns[n] for n in ("numeric", "categorical") if n in columns}
        return self.learner.head.scores(self.learner.model(features)).numpy()


def without_label(row: dict[str, Any], dataset: Dataset) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != dataset.spec.label.column}


@pytest.fixture(scope="module")
def exported(
    datasets: dict[str, Dataset], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Exported]:
    models = {}
    for problem, dataset in datasets.items():
        root = tmp_path_factory.mktemp(problem)
        learner, _ = train(job(dataset, steps=30), Checkpoints(root, key="key"))
        export(learner, dataset.spec, transform_graph=str(dataset.graph), directory=root / "model")
        models[problem] = Exported(dataset, learner, root / "model")
    return models


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_model_answers_raw_rows_as_it_did_in_memory(
    exported: dict[str, Exported], problem: Problem
) -> None:
    model = exported[problem]
    rows = [without_label(row, model.dataset) for row in model.dataset.raw[:50]]
    answer = model.ask("serving_default", examples=[serialized(row) for row in rows])
    expected = model.expected_scores(rows)
    classes = model.dataset.spec.label.classes
    if problem == "regression":
        assert set(answer) == {"prediction"}
        np.testing.assert_allclose(answer["prediction"], expected, rtol=1e-5)
        return
    if problem == "binary":
        np.testing.assert_allclose(answer.pop("probability"), expected, rtol=1e-5)
        expected = np.hstack([1 - expected, expected])
    assert set(answer) == {"scores", "classes", "label"}
    np.testing.assert_allclose(answer["scores"], expected, rtol=1e-5, atol=1e-7)
    assert answer["classes"].astype(str).tolist() == [list(classes)] * 50
    assert answer["label"].astype(str).tolist() == [classes[i] for i in expected.argmax(axis=1)]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_missing_columns_and_unseen_values_are_answered(
    exported: dict[str, Exported], problem: Problem
) -> None:
    model = exported[problem]
    full = without_label(model.dataset.raw[0], model.dataset)
    rows: list[dict[str, Any]] = [{}]
    for feature in model.dataset.spec.features:
        rows.append({name: value for name, value in full.items() if name != feature.name})
        unseen = {"float": 1e30, "int": -(2**62), "bytes": "never seen"}[feature.dtype]
        rows.append(full | {feature.name: unseen})
    answer = model.ask("serving_default", examples=[serialized(row) for row in rows])
    scores = answer["prediction" if problem == "regression" else "scores"]
    assert np.isfinite(scores).all()
    expected = model.expected_scores(rows)
    np.testing.assert_allclose(scores[:, -expected.shape[1] :], expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_no_rows_have_no_answers(exported: dict[str, Exported], problem: Problem) -> None:
    answer = exported[problem].ask("serving_default", examples=np.array([], object).astype("S"))
    assert {len(tensor) for tensor in answer.values()} == {0}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_columns_can_be_transformed_and_scored_apart(
    exported: dict[str, Exported], problem: Problem
) -> None:
    model = exported[problem]
    rows = list(model.dataset.raw[:20])
    columns = model.ask("transform_features", examples=[serialized(row) for row in rows])
    label = columns.pop("label")
    assert label.shape == (20,)
    if problem == "binary":
        expected = [int(row["tips"] > np.float32(0.2) * row["fare"]) for row in rows]
    elif problem == "multiclass":
        expected = [model.dataset.spec.label.classes.index(row["kind"]) for row in rows]
    else:
        expected = [row["fare"] for row in rows]
    np.testing.assert_allclose(label, expected)
    scored = model.ask("score_transformed", **columns)
    assert set(scored) == {"scores"}
    np.testing.assert_allclose(
        scored["scores"],
        model.expected_scores([without_label(row, model.dataset) for row in rows]),
        rtol=1e-5,
        atol=1e-7,
    )


def test_a_model_works_in_a_process_that_has_none_of_our_code(
    exported: dict[str, Exported], tmp_path: Path
) -> None:
    model = exported["binary"]
    rows: list[dict[str, Any]] = [
        *(without_label(row, model.dataset) for row in model.dataset.raw[:30]),
        {},
        {"company": "never seen", "fare": 3.5},
    ]
    (tmp_path / "rows").write_text("\n".join(serialized(row).hex() for row in rows))
    moved = shutil.copytree(model.folder, tmp_path / "moved")
    subprocess.run(
        [sys.executable, "-I", "-c", CLIENT, moved, tmp_path / "rows", tmp_path / "answer"],
        check=True,
        cwd=tmp_path,
    )
    answer = json.loads((tmp_path / "answer").read_text())
    np.testing.assert_allclose(answer["probability"], model.expected_scores(rows), rtol=1e-5)
    assert set(answer["label"]) <= {"small", "big"}


def test_an_export_replaces_what_a_killed_one_left(taxi: Dataset, tmp_path: Path) -> None:
    learner, _ = train(job(taxi, steps=1), Checkpoints(tmp_path, key="key"))
    for leftover in ("model", ".model.partial"):
        (tmp_path / leftover).mkdir()
        (tmp_path / leftover / "rubbish").touch()
    export(learner, taxi.spec, transform_graph=str(taxi.graph), directory=tmp_path / "model")
    assert not (tmp_path / "model" / "rubbish").exists()
    assert not (tmp_path / ".model.partial").exists()
    assert (tmp_path / "model" / "saved_model.pb").exists()

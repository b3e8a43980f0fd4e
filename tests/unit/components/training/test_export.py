from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from components.errors import NodeFailed
from components.features import DataSpec, Problem
from components.training.export import export
from components.training.export.weights import weights_of
from components.training.heads import make_head
from serving.versions import publish, verify
from tests.unit.components.training.datasets import Dataset, serialized
from tests.unit.components.training.exported import Exported, Trained, trained, untrained

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


def without_label(row: dict[str, Any], dataset: Dataset) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != dataset.spec.label.column}


@pytest.fixture(scope="module")
def exported(
    datasets: dict[str, Dataset], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Exported]:
    models = {}
    for problem, dataset in datasets.items():
        root = tmp_path_factory.mktemp(problem)
        learner = trained(dataset)
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
    learner = untrained(taxi)
    for leftover in ("model", ".model.partial"):
        (tmp_path / leftover).mkdir()
        (tmp_path / leftover / "rubbish").touch()
    export(learner, taxi.spec, transform_graph=str(taxi.graph), directory=tmp_path / "model")
    assert not (tmp_path / "model" / "rubbish").exists()
    assert not (tmp_path / ".model.partial").exists()
    assert (tmp_path / "model" / "saved_model.pb").exists()


@pytest.mark.parametrize("problem", PROBLEMS)
def test_weights_can_be_read_by_name_without_running_the_model(
    exported: dict[str, Exported], problem: Problem
) -> None:
    learner = exported[problem].learner
    weights = weights_of(exported[problem].folder)
    head = {f"head/{v.path}": v.numpy() for v in learner.head.variables}
    expected = {v.path: v.numpy() for v in learner.model.weights} | head
    assert weights.keys() == expected.keys()
    assert len(head) == (2 if problem == "regression" else 0)
    for name, value in expected.items():
        np.testing.assert_array_equal(weights[name], value)


def test_names_of_weights_with_dots_survive(taxi: Dataset, tmp_path: Path) -> None:
    inputs = untrained(taxi).model.inputs
    numeric = next(tensor for tensor in inputs if tensor.name == "numeric")
    output = keras.layers.Dense(1, name="v1.0_.S..x")(numeric)
    learner = Trained(keras.Model({t.name: t for t in inputs}, output), make_head(taxi.spec.label))
    export(learner, taxi.spec, transform_graph=str(taxi.graph), directory=tmp_path / "model")
    assert set(weights_of(tmp_path / "model")) == {"v1.0_.S..x/kernel", "v1.0_.S..x/bias"}


def test_two_weights_of_one_name_are_refused(taxi: Dataset, tmp_path: Path) -> None:
    class Twins(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__(name="twins")
            self.both = [self.add_weight(shape=(1,), name="same") for _ in range(2)]

        def call(self, numeric: Any) -> Any:
            return numeric[:, :1] * self.both[0] + self.both[1]

    inputs = untrained(taxi).model.inputs
    numeric = next(tensor for tensor in inputs if tensor.name == "numeric")
    model = keras.Model({t.name: t for t in inputs}, Twins()(numeric))
    with pytest.raises(NodeFailed, match=r"two weights of the model are named 'twins/same'"):
        export(
            Trained(model, make_head(taxi.spec.label)),
            taxi.spec,
            transform_graph=str(taxi.graph),
            directory=tmp_path / "model",
        )
    assert not (tmp_path / "model").exists()


def test_the_columns_are_said_beside_the_model(exported: dict[str, Exported]) -> None:
    model = exported["binary"]
    text = (model.folder / "assets.extra" / "data_spec.json").read_text()
    assert DataSpec.model_validate_json(text) == model.dataset.spec


def test_a_push_takes_everything_beside_the_model_along(
    exported: dict[str, Exported], tmp_path: Path
) -> None:
    model = exported["binary"]
    version = publish(model.folder, tmp_path, key="key", properties={})
    assert verify(version) == []
    spec = "assets.extra/data_spec.json"
    assert (version.path / spec).read_bytes() == (model.folder / spec).read_bytes()

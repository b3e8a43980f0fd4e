"""TensorFlow Lite models, run in the interpreter."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.errors import ConfigError, NodeFailed
from components.features import Label, Problem
from components.training.columns import inputs_of
from components.training.export import export, tflite
from components.training.export.tflite import (
    Kind,
    Tflite,
    check_convertible,
    input_specs,
    run,
    write_tflite,
)
from components.training.heads import make_head
from components.training.models.build import build_model
from components.training.models.settings import ModelSettings
from components.training.models.shape import InputShape, Tokens
from components.training.settings import TrainingSettings
from tests.unit.components.training.datasets import Dataset
from tests.unit.components.training.exported import (
    Columns,
    Trained,
    fit,
    in_batches,
    prepared,
    trained,
)

NETWORKS = ("wide_deep", "dcn", "mlp", "cnn", "conv1d", "gru")
WITHOUT_LOOPS = tuple(name for name in NETWORKS if name != "gru")
CLASSES: dict[Problem, tuple[str, ...]] = {
    "binary": ("no", "yes"),
    "multiclass": tuple("0123456789"),
    "regression": (),
}


@dataclasses.dataclass(frozen=True)
class Case:
    learner: Trained
    problem: Problem
    train: Columns
    evaluation: Columns

    @property
    def expected(self) -> np.ndarray:
        return np.asarray(self.learner.scores(dict(inputs_of(self.evaluation))))

    def settings(self, *kinds: Kind) -> Tflite:
        return Tflite(
            kinds=kinds,
            train=lambda: in_batches(self.train),
            evaluation=lambda: in_batches(self.evaluation),
        )


def make_case(
    name: str, problem: Problem, shape: InputShape, rows: Columns, steps: int = 40
) -> Case:
    label = Label(column="y", dtype="bytes", problem=problem, classes=CLASSES[problem])
    head = make_head(label)
    settings = ModelSettings(name=name, hidden_units=(16,), **OPTIONS.get(name, {}))
    learner = Trained(build_model(settings, shape, units=head.units, seed=0), head)
    middle = len(rows["label"]) // 2
    train = {n: column[:middle] for n, column in rows.items()}
    fit(learner, train, steps=steps)
    return Case(learner, problem, train, {n: column[middle:] for n, column in rows.items()})


OPTIONS = {
    "cnn": {"filters": (8, 16)},
    "conv1d": {"filters": (8,)},
    "gru": {"gru_units": 8},
    "mlp": {"embedding_dim": 0},
}


def table_rows() -> Columns:
    random = np.random.default_rng(1)
    numeric = random.normal(size=(600, 4)).astype(np.float32)
    categorical = random.integers(0, 10, (600, 2)).astype(np.int32)
    categorical[:, 1] += 10
    label = 10 + 3 * numeric[:, 0] - numeric[:, 1] * numeric[:, 2] + categorical[:, 0]
    return {"numeric": numeric, "categorical": categorical, "label": label.astype(np.float32)}


def sequence_rows() -> Columns:
    random = np.random.default_rng(2)
    tokens = random.integers(2, 20, (600, 12)).astype(np.int32)
    tokens *= np.arange(12) < random.integers(1, 13, (600, 1))
    series = random.normal(size=(600, 10, 2)).astype(np.float32)
    label = ((tokens == 5).any(axis=1) | (series[:, 0, 0] > 1)).astype(np.int32)
    return {"tokens": tokens, "series": series, "label": label}


def digit_rows() -> Columns:
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels = (data.images * 15).astype(np.uint8)[..., np.newaxis]
    return {"image": pixels, "label": data.target.astype(np.int32)}


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    table = InputShape(
        numeric_width=4,
        num_slots=2,
        num_ids=20,
        slot_sizes=(10, 10),
        local_ids=np.tile(np.arange(10, dtype=np.int32), 2),
    )
    sequence = InputShape(tokens=Tokens(length=12, num_ids=20), series=(10, 2))
    made = {n: make_case(n, "regression", table, table_rows()) for n in NETWORKS[:3]}
    made["cnn"] = make_case("cnn", "multiclass", InputShape(image=(8, 8, 1)), digit_rows(), 60)
    return made | {n: make_case(n, "binary", sequence, sequence_rows()) for n in NETWORKS[4:]}


@pytest.mark.parametrize("name", NETWORKS)
def test_float_model_answers_as_the_model(
    cases: dict[str, Case], name: str, tmp_path: Path
) -> None:
    case = cases[name]
    write_tflite(case.learner, case.problem, case.settings("float"), directory=tmp_path)
    scores = run((tmp_path / "float.tflite").read_bytes(), inputs_of(case.evaluation))
    np.testing.assert_allclose(scores, case.expected, rtol=1e-5, atol=1e-5)
    report = json.loads((tmp_path / "tflite.json").read_text())["float"]
    assert report["metrics"] == pytest.approx(report["saved_model_metrics"], abs=1e-4)


@pytest.mark.parametrize("name", WITHOUT_LOOPS)
@pytest.mark.parametrize("kind", ["dynamic", "int8"])
def test_quantised_model_is_nearly_as_good(
    cases: dict[str, Case], name: str, kind: Kind, tmp_path: Path
) -> None:
    case = cases[name]
    write_tflite(case.learner, case.problem, case.settings(kind), directory=tmp_path)
    report = json.loads((tmp_path / "tflite.json").read_text())[kind]
    now, before = report["metrics"], report["saved_model_metrics"]
    if case.problem == "regression":
        assert now["rmse"] < 1.1 * before["rmse"]
    else:
        assert now["accuracy"] > before["accuracy"] - 0.02
        assert before["accuracy"] > 0.8
    scores = run((tmp_path / f"{kind}.tflite").read_bytes(), inputs_of(case.evaluation))
    assert 0 < np.abs(scores - case.expected).mean() < 0.02 * max(1, np.abs(case.expected).max())


def test_int8_model_computes_in_int8(cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases["cnn"]
    kinds: tuple[Kind, ...] = ("float", "dynamic", "int8")
    write_tflite(case.learner, case.problem, case.settings(*kinds), directory=tmp_path)
    count, size = {}, {}
    for kind in kinds:
        content = (tmp_path / f"{kind}.tflite").read_bytes()
        details = tf.lite.Interpreter(
            model_content=content,
            experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
        ).get_tensor_details()
        count[kind] = sum(tensor["dtype"] == np.int8 for tensor in details)
        size[kind] = len(content)
    assert count["float"] == 0 < count["dynamic"] < count["int8"]
    assert max(size["dynamic"], size["int8"]) < size["float"]


def test_report_tells_what_the_files_are(cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases["cnn"]
    weighted = dataclasses.replace(
        case,
        evaluation=case.evaluation | {"weight": (case.evaluation["label"] == 3).astype(np.float32)},
    )
    write_tflite(case.learner, case.problem, weighted.settings("dynamic"), directory=tmp_path)
    content = (tmp_path / "dynamic.tflite").read_bytes()
    scores, threes = run(content, inputs_of(case.evaluation)), case.evaluation["label"] == 3
    assert json.loads((tmp_path / "tflite.json").read_text()) == {
        "dynamic": {
            "bytes": len(content),
            "rows": len(scores),
            "metrics": {
                "accuracy": pytest.approx((scores[threes].argmax(axis=1) == 3).mean()),
                "log_loss": pytest.approx(-np.log(scores[threes, 3]).mean(), rel=1e-5),
            },
            "saved_model_metrics": {
                "accuracy": pytest.approx((case.expected[threes].argmax(axis=1) == 3).mean()),
                "log_loss": pytest.approx(-np.log(case.expected[threes, 3]).mean(), rel=1e-5),
            },
            "max_abs_difference": pytest.approx(np.abs(scores - case.expected).max(), rel=1e-4),
        }
    }


def test_inputs_keep_their_names_and_types(cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases["conv1d"]
    write_tflite(case.learner, case.problem, case.settings("int8"), directory=tmp_path)
    interpreter = tf.lite.Interpreter(str(tmp_path / "int8.tflite"))
    runner = interpreter.get_signature_runner()
    details = runner.get_input_details()
    assert {name: (d["shape"].tolist(), d["dtype"]) for name, d in details.items()} == {
        "tokens": ([1, 12], np.int32),
        "series": ([1, 10, 2], np.float32),
    }
    assert list(runner.get_output_details()) == ["scores"]


def test_loop_cannot_become_int8(cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases["gru"]
    with pytest.raises(NodeFailed, match=r"with a loop, such as gru, cannot become int8"):
        write_tflite(case.learner, case.problem, case.settings("float", "int8"), directory=tmp_path)
    assert list(tmp_path.iterdir()) == []
    inputs = input_specs(case.train)
    check_convertible(case.learner, inputs, ["float", "dynamic"])
    with pytest.raises(ConfigError, match=r"Take int8 out of training\.export\.tflite"):
        check_convertible(case.learner, inputs, ["int8"])


@dataclasses.dataclass(frozen=True)
class Shifted(Trained):
    """Answers otherwise in a graph than outside of one."""

    shift: float = 0.0

    def scores(self, columns: dict[str, tf.Tensor]) -> tf.Tensor:
        scores = super().scores(columns)
        return scores if tf.executing_eagerly() else scores + self.shift


@pytest.mark.parametrize(
    ("shift", "expected"),
    [(0.001, r"answers up to 0\.001 beside the model"), (np.nan, "numbers that are not finite")],
)
def test_model_that_answers_otherwise_is_refused(
    cases: dict[str, Case], tmp_path: Path, shift: float, expected: str
) -> None:
    case = cases["cnn"]
    learner = Shifted(case.learner.model, case.learner.head, shift)
    with pytest.raises(NodeFailed, match=expected):
        write_tflite(learner, case.problem, case.settings("float"), directory=tmp_path)


def test_only_the_first_rows_of_large_data_are_measured(
    cases: dict[str, Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = cases["mlp"]
    monkeypatch.setattr(tflite, "_MEASURED_ROWS", 100)
    write_tflite(case.learner, case.problem, case.settings("float"), directory=tmp_path)
    assert json.loads((tmp_path / "tflite.json").read_text())["float"]["rows"] == 100
    row_bytes = sum(column[0].nbytes for column in case.evaluation.values())
    monkeypatch.setattr(tflite, "_MEASURED_BYTES", 70 * row_bytes)
    write_tflite(case.learner, case.problem, case.settings("float"), directory=tmp_path)
    assert json.loads((tmp_path / "tflite.json").read_text())["float"]["rows"] == 70


def strange_network() -> Trained:
    """A network with an operation that only TensorFlow itself has."""

    class Strange(keras.layers.Layer):
        def call(self, numeric: tf.Tensor) -> tf.Tensor:
            return tf.math.betainc(2.0, 3.0, tf.sigmoid(numeric[:, :1]))

    numeric = keras.Input((4,), name="numeric")
    label = Label(column="y", dtype="float", problem="regression")
    return Trained(keras.Model({"numeric": numeric}, Strange()(numeric)), make_head(label))


def test_mixed_precision_is_refused_in_the_settings() -> None:
    precision = {"precision": "mixed_bfloat16"}
    TrainingSettings(execution=precision)
    with pytest.raises(ValueError, match=r"TensorFlow Lite cannot hold mixed_bfloat16"):
        TrainingSettings(execution=precision, export={"tflite": ("float",)})


def test_network_that_cannot_be_held_is_refused_before_training() -> None:
    inputs = {"numeric": tf.TensorSpec([1, 4], tf.float32, "numeric")}
    check_convertible(strange_network(), inputs, [])
    with pytest.raises(ConfigError, match=r"TensorFlow Lite cannot hold this network \(float\)"):
        check_convertible(strange_network(), inputs, ["dynamic"])


@pytest.fixture(scope="module")
def taxi_learner(taxi: Dataset) -> Trained:
    return trained(taxi)


def test_export_writes_them_beside_the_model(
    taxi: Dataset, taxi_learner: Trained, tmp_path: Path
) -> None:
    rows = prepared(taxi, "eval")
    wanted = Tflite(
        kinds=("float", "int8"),
        train=lambda: in_batches(prepared(taxi, "train")),
        evaluation=lambda: in_batches(rows),
    )
    export(
        taxi_learner,
        taxi.spec,
        transform_graph=str(taxi.graph),
        directory=tmp_path / "model",
        tflite=wanted,
    )
    extra = tmp_path / "model" / "assets.extra"
    assert {path.name for path in extra.iterdir()} == {
        "data_spec.json",
        "float.tflite",
        "int8.tflite",
        "tflite.json",
    }
    report = json.loads((extra / "tflite.json").read_text())
    assert report["float"]["max_abs_difference"] < 1e-5
    assert report["float"]["metrics"]["accuracy"] > 0.8
    assert report["int8"]["metrics"]["accuracy"] > report["float"]["metrics"]["accuracy"] - 0.02
    assert report["float"]["rows"] == len(rows["label"])


def test_model_does_not_appear_when_a_conversion_fails(
    taxi: Dataset, taxi_learner: Trained, tmp_path: Path
) -> None:
    def none() -> Iterator[Columns]:
        return iter(())

    with pytest.raises(NodeFailed, match="there are no rows to measure a TensorFlow Lite model on"):
        export(
            taxi_learner,
            taxi.spec,
            transform_graph=str(taxi.graph),
            directory=tmp_path / "model",
            tflite=Tflite(kinds=("float",), train=none, evaluation=none),
        )
    assert not (tmp_path / "model").exists()

"""A small eval split, models that answer for it, and the executor run on both as TFX runs it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.dsl.components.base import base_beam_executor
from tfx.types import standard_artifacts

from components.evaluation.executor import Executor
from components.evaluation.settings import EvaluationSettings
from components.features import DataSpec, Feature, Label, Problem

CLASSES: dict[Problem, tuple[str, ...]] = {
    "binary": ("no", "yes"),
    "multiclass": ("red", "green", "blue", "grey"),
    "regression": (),
}
SCHEMA = """
feature { name: "x" type: FLOAT }
feature { name: "group" type: BYTES }
feature { name: "hour" type: INT }
feature { name: "y" type: %s }
feature { name: "importance" type: FLOAT }
"""
_DTYPES = {"x": tf.float32, "group": tf.string, "hour": tf.int64, "importance": tf.float32}

Columns = dict[str, Any]
# Takes the columns as tensors [rows]; gives what the model answers, [rows, units].
Answer = Callable[[Columns], tf.Tensor]


def data_spec(problem: Problem, *, weight: str | None = None) -> DataSpec:
    return DataSpec(
        features=(
            Feature(name="x", kind="numeric", dtype="float"),
            Feature(name="group", kind="categorical", dtype="bytes"),
            Feature(name="hour", kind="categorical", dtype="int"),
        ),
        label=Label(
            column="y",
            dtype="float" if problem == "regression" else "bytes",
            problem=problem,
            classes=CLASSES[problem],
        ),
        weight=weight,
    )


@dataclasses.dataclass(frozen=True)
class Rows:
    """The eval split as arrays."""

    x: np.ndarray
    group: np.ndarray
    hour: np.ndarray
    label: np.ndarray
    weight: np.ndarray


def make_rows(problem: Problem, num_rows: int = 600, seed: int = 3) -> Rows:
    """The label depends on `x`; `group` has the values a (most rows), b and c (few)."""
    random = np.random.default_rng(seed)
    x = random.normal(size=num_rows).astype(np.float32)
    if problem == "binary":
        label = (random.random(num_rows) < 1 / (1 + np.exp(-2 * x))).astype(int)
    elif problem == "multiclass":
        label = np.clip(np.round(x + random.normal(size=num_rows) / 2) + 1, 0, 3).astype(int)
    else:
        label = (3 * x + random.normal(size=num_rows)).astype(np.float32)
    return Rows(
        x=x,
        group=random.choice(["a", "b", "c"], num_rows, p=[0.7, 0.28, 0.02]),
        hour=random.integers(0, 2, num_rows),
        label=label,
        weight=random.integers(1, 5, num_rows).astype(np.float32),
    )


def write_examples(rows: Rows, spec: DataSpec, folder: Path) -> Any:
    """An Examples artifact; now and then `group` is missing."""
    split = folder / "Split-eval"
    split.mkdir(parents=True)
    path = split / "data_tfrecord-00000-of-00001.gz"
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for at in range(len(rows.x)):
            example = tf.train.Example()
            features = example.features.feature
            features["x"].float_list.value.append(rows.x[at])
            if at % 50:
                features["group"].bytes_list.value.append(rows.group[at].encode())
            features["hour"].int64_list.value.append(rows.hour[at])
            features["importance"].float_list.value.append(rows.weight[at])
            if spec.label.problem == "regression":
                features["y"].float_list.value.append(rows.label[at])
            else:
                name = spec.label.classes[rows.label[at]]
                features["y"].bytes_list.value.append(name.encode())
            writer.write(example.SerializeToString())
    artifact = standard_artifacts.Examples()
    artifact.uri, artifact.id, artifact.split_names = str(folder), 1, '["eval"]'
    artifact.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    artifact.set_string_custom_property("file_format", "tfrecords_gzip")
    return artifact


class _Model(tf.Module):
    """Signatures as the Trainer exports them; `_needs` are columns whose absence is an error."""

    def __init__(self, spec: DataSpec, answer: Answer, needs: str) -> None:
        super().__init__()
        self._spec, self._answer, self._needs = spec, answer, needs

    def _parse(self, examples: tf.Tensor, names: Mapping[str, Any]) -> Columns:
        defaults = {tf.float32: 0.0, tf.string: b"", tf.int64: 0}
        return tf.io.parse_example(
            examples,
            {
                name: tf.io.FixedLenFeature(
                    [], dtype, None if name == self._needs else defaults[dtype]
                )
                for name, dtype in names.items()
            },
        )

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        names = {**_DTYPES, **({self._needs: tf.float32} if self._needs else {})}
        answers = self._answer(self._parse(examples, names))
        problem = self._spec.label.problem
        if problem == "regression":
            return {"prediction": answers}
        classes = tf.constant(self._spec.label.classes)
        outputs = {"scores": answers}
        if problem == "binary":
            outputs = {"probability": answers, "scores": tf.concat([1 - answers, answers], 1)}
        names_of = tf.tile(classes[tf.newaxis], [tf.shape(answers)[0], 1])
        return {**outputs, "classes": names_of}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def transform(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        label = self._spec.label
        kind = tf.float32 if label.problem == "regression" else tf.string
        columns = self._parse(examples, {"y": kind, "importance": tf.float32})
        target = columns["y"]
        if label.problem != "regression":
            hits = target[:, tf.newaxis] == tf.constant(label.classes)[tf.newaxis]
            target = tf.argmax(tf.cast(hits, tf.int64), 1)
        weight = {"weight": columns["importance"]} if self._spec.weight else {}
        return {"label": target, **weight}


def write_model(
    folder: Path, spec: DataSpec, answer: Answer, *, identity: int, needs: str = ""
) -> Any:
    """A Model artifact, with a data_spec.json beside it unless it needs a column of its own."""
    saved = folder / "Format-Serving"
    model = _Model(spec, answer, needs)
    signatures = {"serving_default": model.serve, "transform_features": model.transform}
    tf.saved_model.save(model, str(saved), signatures=signatures)
    if not needs:
        (saved / "assets.extra").mkdir(exist_ok=True)
        (saved / "assets.extra" / "data_spec.json").write_text(spec.model_dump_json())
    artifact = standard_artifacts.Model()
    artifact.uri, artifact.id = str(folder), identity
    return artifact


def sigmoid(slope: float) -> Answer:
    """A model that says how probable class 1 is, by `x` alone; 2 is the truth."""
    return lambda columns: tf.sigmoid(slope * columns["x"])[:, tf.newaxis]


@dataclasses.dataclass(frozen=True)
class Judged:
    """What the executor left."""

    folder: Path
    record: dict[str, Any]
    evaluation: Any
    blessing: Any

    @property
    def blessed(self) -> int:
        return self.blessing.get_int_custom_property("blessed")

    @property
    def reason(self) -> str:
        return self.blessing.get_string_custom_property("reason")

    def slice(self, name: str) -> dict[str, Any]:
        return next(item for item in self.record["slices"] if item["name"] == name)

    def value(self, metric: str, name: str = "all examples", model: str = "candidate") -> float:
        return self.slice(name)["metrics"][metric][model]["value"]


def judge(
    folder: Path,
    examples: Any,
    spec: DataSpec,
    settings: EvaluationSettings,
    candidate: Any,
    baseline: Any = None,
    *,
    served: Path | None = None,
) -> Judged:
    """Runs the executor."""
    schema_folder = folder / "schema"
    schema_folder.mkdir(parents=True)
    kind = "FLOAT" if spec.label.problem == "regression" else "BYTES"
    schema = text_format.Parse(SCHEMA % kind, schema_pb2.Schema())
    (schema_folder / "schema.pbtxt").write_text(text_format.MessageToString(schema))
    outputs = {
        "schema": (standard_artifacts.Schema(), schema_folder),
        "evaluation": (standard_artifacts.ModelEvaluation(), folder / "evaluation"),
        "blessing": (standard_artifacts.ModelBlessing(), folder / "blessing"),
    }
    for artifact, path in outputs.values():
        path.mkdir(exist_ok=True)
        artifact.uri = str(path)
    inputs = {"examples": [examples], "model": [candidate], "schema": [outputs["schema"][0]]}
    if baseline is not None:
        inputs["baseline_model"] = [baseline]
    context = base_beam_executor.BaseBeamExecutor.Context(
        beam_pipeline_args=["--runner=FnApiRunner", "--sdk_container_image=none"],
        tmp_dir=str(folder / "tmp"),
        unique_id="1",
    )
    Executor(context).Do(
        inputs,
        {name: [outputs[name][0]] for name in ("evaluation", "blessing")},
        {
            "settings": settings.model_dump_json(),
            "data_spec": spec.model_dump_json(),
            "served": str(served or ""),
        },
    )
    record = json.loads((folder / "evaluation" / "evaluation.json").read_text())
    evaluation, blessing = outputs["evaluation"][0], outputs["blessing"][0]
    return Judged(folder / "evaluation", record, evaluation, blessing)

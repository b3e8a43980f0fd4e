"""A small model as the pipeline pushes it, made in a second, for tests that need one to be served.

It reads one column of each kind and answers as a binary classifier does. How likely `big` is grows
with `fare`, times the weight that the version was made with:

    probability = sigmoid(weight * fare / 10), 0.5 where fare is missing
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from serving import tensor_protos
from serving.columns import as_input
from serving.protos import prediction_log_pb2

MISSING = -(2**63)
MODEL = "trips"
CLASSES = ("small", "big")
# 2 x 1 pixels.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAAAAADRSSBWAAAAC0lEQVR4nGNgYAAAAAMAASsJTYQAAAAASUVORK5CYII="
)
COLUMNS: Sequence[Mapping[str, Any]] = (
    {"name": "fare", "kind": "numeric", "dtype": "float"},
    {"name": "num stops", "kind": "numeric", "dtype": "int"},
    {"name": "payment", "kind": "categorical", "dtype": "bytes"},
    {"name": "weekday", "kind": "categorical", "dtype": "int"},
    {"name": "shared", "kind": "boolean", "dtype": "bytes"},
    {"name": "begin", "kind": "timestamp", "dtype": "int", "unit": "s"},
    {"name": "note", "kind": "text", "dtype": "bytes"},
    {"name": "speeds", "kind": "series", "dtype": "float"},
    {"name": "photo", "kind": "image", "dtype": "bytes"},
)
ROWS: Sequence[Mapping[str, Any]] = (
    {
        "fare": 12.5,
        "num stops": 3,
        "payment": b"Cash",
        "weekday": 6,
        "shared": b"yes",
        "begin": 1_400_269_500,
        "note": "no änswer".encode(),
        "speeds": [1.5, 2.5],
        "photo": PNG,
    },
    {"fare": -40.0, "payment": b"<b>Credit</b> 'Card'", "weekday": 2, "speeds": [3.0]},
)


def probability(fare: float | None, weight: float = 1.0) -> float:
    """What the model answers."""
    return 1 / (1 + math.exp(-weight * fare / 10)) if fare is not None else 0.5


def serving_folder(base_temp: Path) -> Path:
    """A serving folder with two versions of `trips`: 1 is `stable`, 2 `canary`; made once.

    Args:
        base_temp: of the test session; nobody may change what is in the folder.
    """
    serving = base_temp / "served_models"
    if not serving.exists():
        draft = base_temp / ".served_models"
        write_version(draft / MODEL, 1)
        write_version(draft / MODEL, 2, weight=2.0)
        draft.rename(serving)
        write_config(serving, MODEL, [1, 2], {"stable": 1, "canary": 2})
    return serving


def write_version(base: Path, version: int, *, weight: float = 1.0, evil: str = "") -> Path:
    """Writes a version of the model: its SavedModel, and what the pipeline ships with it.

    Args:
        base: the folder of the model.
        version: its number.
        weight: of the fare.
        evil: a category more, to see whether it stays text.
    """
    import tensorflow as tf

    folder = base / str(version)
    _save(folder, weight)
    extra = folder / "assets.extra"
    extra.mkdir()
    spec = {
        "features": COLUMNS,
        "label": {"column": "tip", "dtype": "bytes", "problem": "binary", "classes": CLASSES},
        "weight": None,
    }
    (extra / "data_spec.json").write_text(json.dumps(spec))
    (folder / "assets").mkdir(exist_ok=True)
    terms = ["payment=Cash", "payment=<b>Credit</b> 'Card'", "weekday=6", "weekday=2", "weekday=10"]
    terms += [f"payment={evil}"] if evil else []
    (folder / "assets" / "vocabulary").write_text("\n".join(terms) + "\n")
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        writer.write(_warm_up())
    return folder


def write_config(
    serving: Path, model: str, versions: Sequence[int], labels: Mapping[str, int]
) -> None:
    """Writes the `models.config` of one model."""
    listed = " ".join(f"versions: {version}" for version in versions)
    named = " ".join(
        f'version_labels {{ key: "{name}" value: {version} }}' for name, version in labels.items()
    )
    draft = serving / ".models.config"
    draft.write_text(
        f'model_config_list {{ config {{ name: "{model}" base_path: "{serving / model}" '
        f'model_platform: "tensorflow" model_version_policy {{ specific {{ {listed} }} }} '
        f"{named} }} }}\n"
    )
    draft.replace(serving / "models.config")


def raw_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `ROWS` as the inputs of `serving_raw`, for a batch of one."""
    missing = {"float": math.nan, "int": MISSING, "bytes": b""}
    types = {"float": np.float32, "int": np.int64, "bytes": object}
    arrays = {}
    for column in COLUMNS:
        value = row.get(column["name"], missing[column["dtype"]])
        values = [value if isinstance(value, list) else [value]]
        array = np.array(values, types[column["dtype"]])
        arrays[as_input(column["name"])] = array if column["kind"] == "series" else array[:, 0]
    return arrays


def _warm_up() -> bytes:
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = "serving_raw"
    rows = [raw_row(row) for row in ROWS]
    for name in rows[0]:
        parts = [row[name] for row in rows]
        if parts[0].ndim == 2:
            width = max(part.shape[1] for part in parts)
            parts = [
                np.pad(p, ((0, 0), (0, width - p.shape[1])), constant_values=math.nan)
                for p in parts
            ]
        request.inputs[name].CopyFrom(tensor_protos.to_proto(np.concatenate(parts)))
    serialized: bytes = log.SerializeToString()
    return serialized


def _save(folder: Path, weight: float) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.weight = tf.Variable(weight)

    def answer(fare: tf.Tensor) -> dict[str, tf.Tensor]:
        fare = tf.where(tf.math.is_nan(fare), 0.0, fare)
        likely = tf.sigmoid(module.weight * fare / 10)[:, tf.newaxis]
        scores = tf.concat([1 - likely, likely], axis=1)
        names = tf.constant(CLASSES)
        return {
            "probability": likely,
            "scores": scores,
            "classes": tf.tile(names[tf.newaxis, :], [tf.shape(likely)[0], 1]),
            "label": tf.gather(names, tf.argmax(scores, axis=1)),
        }

    def parse(examples: tf.Tensor) -> tf.Tensor:
        features = {"fare": tf.io.FixedLenFeature([], tf.float32, math.nan)}
        return tf.io.parse_example(examples, features)["fare"]

    @tf.function(autograph=False)
    def raw(**columns: tf.Tensor) -> dict[str, tf.Tensor]:
        # All inputs have to be in the graph.
        lengths = [tf.cast(tf.shape(column)[0], tf.float32) for column in columns.values()]
        return answer(columns["fare"] + 0.0 * tf.add_n(lengths))

    @tf.function(autograph=False)
    def default(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer(parse(examples))

    @tf.function(autograph=False)
    def classify(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        found = answer(parse(inputs))
        return {"classes": found["classes"], "scores": found["scores"]}

    @tf.function(autograph=False)
    def regress(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"outputs": answer(parse(inputs))["probability"]}

    types = {"float": tf.float32, "int": tf.int64, "bytes": tf.string}
    specs = {
        as_input(column["name"]): tf.TensorSpec(
            [None, None] if column["kind"] == "series" else [None],
            types[column["dtype"]],
            as_input(column["name"]),
        )
        for column in COLUMNS
    }
    text = tf.TensorSpec([None], tf.string)
    tf.saved_model.save(
        module,
        str(folder),
        signatures={
            "serving_default": default.get_concrete_function(examples=text),
            "serving_raw": raw.get_concrete_function(**specs),
            "classify": classify.get_concrete_function(inputs=text),
            "regress": regress.get_concrete_function(inputs=text),
        },
    )

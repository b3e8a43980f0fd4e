"""TensorFlow Lite models: the network alone, float or quantised, measured before they appear.

Neither strings nor vocabularies can go into them, so they read what `score_transformed` reads once
it is prepared (`components.training.columns`): one row a call, and `scores` [1, units] come out.

    float      float32 weights
    dynamic    int8 weights, float32 activations
    int8       int8 weights and activations where the operation allows it, float32 elsewhere;
               inputs and outputs stay as they are

`tflite.json` beside them says for each kind its `bytes`, and over the eval rows (the first of
them: `rows`) its `metrics`, `saved_model_metrics`, and `max_abs_difference`, the largest
difference of its scores to the model's own.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import tensorflow as tf

from components.errors import ConfigError, NodeFailed
from components.features import LABEL, WEIGHT, Problem
from components.training.columns import TARGETS
from components.training.export.learner_like import LearnerLike
from components.training.export.quality import quality
from components.training.export.weights import named_weights

Kind = Literal["float", "dynamic", "int8"]
Rows = Mapping[str, np.ndarray]
Batches = Callable[[], Iterable[Rows]]

REPORT = "tflite.json"
# As many as TensorFlow's guide asks for; more change the ranges little.
_CALIBRATION_ROWS = 256
# Enough to tell two models apart in a few seconds, at one row a call.
_MEASURED_ROWS = 10_000
_MEASURED_BYTES = 64 * 2**20
_BATCH_ROWS = 256
# A float model computes the same sums in another order.
_FLOAT_TOLERANCE = 1e-4
_LOOPS = frozenset({"While", "StatelessWhile"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tflite:
    """Which models to write, and the data for that.

    Attributes:
        kinds: which.
        train: prepared training rows, batch by batch, to find the ranges of int8 with.
        evaluation: prepared eval rows with their label (and weight), to measure on.
    """

    kinds: tuple[Kind, ...]
    train: Batches
    evaluation: Batches


def check_convertible(
    learner: LearnerLike, inputs: Mapping[str, tf.TensorSpec], kinds: Iterable[Kind]
) -> None:
    """Fails for a network that TensorFlow Lite cannot hold, before it is trained.

    Args:
        learner: holds the network, trained or not.
        inputs: what it reads, as `input_specs` tells from a batch.
        kinds: what it should become.

    Raises:
        ConfigError: it cannot.
    """
    kinds = tuple(kinds)
    if not kinds:
        return
    try:
        function = _one_row(learner, inputs)
        _require_no_loop(function, kinds)
        _convert(learner, function, "float")
    except NodeFailed as error:
        raise ConfigError(str(error)) from error


def write_tflite(
    learner: LearnerLike, problem: Problem, settings: Tflite, *, directory: Path
) -> None:
    """Writes `<kind>.tflite` for each kind, and what was measured to `tflite.json`.

    Args:
        learner: holds the trained model.
        problem: decides the metrics.
        settings: which models, and the data.
        directory: where; nobody reads it yet.

    Raises:
        NodeFailed: a model cannot be converted, its scores are not finite, or those of a float
            model are not the model's own.
    """
    rows = _first(settings.evaluation(), _MEASURED_ROWS, _MEASURED_BYTES)
    function = _one_row(learner, input_specs(rows))
    _require_no_loop(function, settings.kinds)
    features = _features(rows)
    expected = _scores(learner, features)
    metrics = quality(problem, expected, rows[LABEL], rows.get(WEIGHT))
    report = {}
    for kind in settings.kinds:
        content = _convert(learner, function, kind, settings.train)
        scores = run(content, features)
        _require_same(kind, scores, expected)
        (directory / f"{kind}.tflite").write_bytes(content)
        report[kind] = {
            "bytes": len(content),
            "rows": len(scores),
            "metrics": quality(problem, scores, rows[LABEL], rows.get(WEIGHT)),
            "saved_model_metrics": metrics,
            "max_abs_difference": float(np.abs(scores - expected).max()),
        }
    text = json.dumps(report, indent=2)
    (directory / REPORT).write_text(f"{text}\n", encoding="utf-8")


def input_specs(rows: Rows) -> dict[str, tf.TensorSpec]:
    """What a network reads of `rows`, with batches of 1."""
    return {
        name: tf.TensorSpec([1, *column.shape[1:]], column.dtype, name)
        for name, column in _features(rows).items()
    }


def run(content: bytes, features: Rows) -> np.ndarray:
    """The scores of a TensorFlow Lite model, row by row, in the interpreter.

    Args:
        content: the model.
        features: prepared columns, the first dimension being the row.

    Returns:
        float32 [rows, units].
    """
    runner = tf.lite.Interpreter(model_content=content, num_threads=1).get_signature_runner()
    num_rows = len(next(iter(features.values())))
    return np.concatenate(
        [
            runner(**{name: column[row : row + 1] for name, column in features.items()})["scores"]
            for row in range(num_rows)
        ]
    )


def _one_row(
    learner: LearnerLike, inputs: Mapping[str, tf.TensorSpec]
) -> tf.types.experimental.ConcreteFunction:
    """The scores of one row: fixed, because loops need it and accelerators want it."""

    @tf.function(autograph=False)
    def score(**columns: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"scores": learner.scores(columns)}

    return score.get_concrete_function(**inputs)


def _require_no_loop(
    function: tf.types.experimental.ConcreteFunction, kinds: Iterable[Kind]
) -> None:
    """The converter crashes, process and all, on the ranges of values inside a loop."""
    graph = function.graph.as_graph_def()
    nodes = itertools.chain(graph.node, *(f.node_def for f in graph.library.function))
    if "int8" in kinds and any(node.op in _LOOPS for node in nodes):
        raise NodeFailed(
            "Trainer: a network with a loop, such as gru, cannot become int8. Take int8 out of "
            "training.export.tflite (float and dynamic work), or use conv1d."
        )


def _convert(
    learner: LearnerLike,
    function: tf.types.experimental.ConcreteFunction,
    kind: Kind,
    train: Batches | None = None,
) -> bytes:
    holder = tf.Module()
    holder.weights = list(named_weights(learner).values())
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], holder)
    if kind != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "int8" and train is not None:
        converter.representative_dataset = lambda: _single_rows(train())
    try:
        content: bytes = converter.convert()
    except Exception as error:  # The converter raises whatever its passes raise.
        raise NodeFailed(
            f"Trainer: TensorFlow Lite cannot hold this network ({kind}): "
            f"{str(error).strip().splitlines()[0][:300]}. Take {kind} out of "
            "training.export.tflite, or change training.model."
        ) from error
    return content


def _single_rows(batches: Iterable[Rows]) -> Iterator[dict[str, np.ndarray]]:
    features = _features(_first(batches, _CALIBRATION_ROWS, _MEASURED_BYTES))
    for row in range(len(next(iter(features.values())))):
        yield {name: column[row : row + 1] for name, column in features.items()}


def _scores(learner: LearnerLike, features: Rows) -> np.ndarray:
    """The scores of the model itself."""
    num_rows = len(next(iter(features.values())))
    parts = [
        learner.scores({n: tf.constant(c[at : at + _BATCH_ROWS]) for n, c in features.items()})
        for at in range(0, num_rows, _BATCH_ROWS)
    ]
    return np.concatenate([np.asarray(part) for part in parts])


def _first(batches: Iterable[Rows], num_rows: int, num_bytes: int) -> dict[str, np.ndarray]:
    """The first rows of all batches, as one: at most so many rows and bytes, but at least one."""
    taken: list[dict[str, np.ndarray]] = []
    for batch in batches:
        columns = {name: np.asarray(column) for name, column in batch.items()}
        row_bytes = sum(column[:1].nbytes for column in columns.values())
        if not row_bytes:  # A batch without rows.
            continue
        num_rows = min(num_rows, max(num_bytes // row_bytes, 0 if taken else 1))
        taken.append({name: column[:num_rows] for name, column in columns.items()})
        used = len(next(iter(taken[-1].values())))
        num_rows, num_bytes = num_rows - used, num_bytes - used * row_bytes
        if num_rows <= 0:
            break
    if not taken:
        raise NodeFailed(
            "Trainer: there are no rows to measure a TensorFlow Lite model on. Give the eval split "
            "more rows, or empty training.export.tflite."
        )
    return {name: np.concatenate([part[name] for part in taken]) for name in taken[0]}


def _features(rows: Rows) -> dict[str, np.ndarray]:
    return {name: column for name, column in rows.items() if name not in TARGETS}


def _require_same(kind: Kind, scores: np.ndarray, expected: np.ndarray) -> None:
    if not np.isfinite(scores).all():
        raise NodeFailed(
            f"Trainer: the TensorFlow Lite model ({kind}) answers numbers that are not finite. "
            f"Take {kind} out of training.export.tflite."
        )
    worst = float((np.abs(scores - expected) / np.maximum(1, np.abs(expected))).max())
    if kind == "float" and worst > _FLOAT_TOLERANCE:
        raise NodeFailed(
            f"Trainer: the TensorFlow Lite model (float) answers up to {worst:.2g} beside the "
            f"model; allowed is {_FLOAT_TOLERANCE:g}. Take it out of training.export.tflite, or "
            "train in float32."
        )

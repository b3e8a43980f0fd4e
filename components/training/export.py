"""Writes a trained model as a SavedModel that needs none of this code.

The transform graph and its vocabulary are inside, so the model reads raw columns. Signatures:

    serving_default       examples: string [N], tf.Examples without the label ->
        binary        probability [N, 1], scores [N, 2], classes [N, 2], label [N]
        multiclass    scores [N, C], classes [N, C], label [N]
        regression    prediction [N, 1]
    transform_features    examples: string [N], with the label -> numeric, categorical, label
    score_transformed     numeric, categorical -> scores [N, 1] or [N, C]
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import tensorflow as tf

from components.features import CATEGORICAL, LABEL, DataSpec, Label
from components.training.learner import Learner

Tensors = dict[str, tf.Tensor]
# A loaded function of one argument, the raw columns by name; TensorFlow has no public type for it.
TransformFn = Any
_TRANSFORM_FN = "transform_fn"


def export(learner: Learner, spec: DataSpec, *, transform_graph: str, directory: Path) -> None:
    """Writes the SavedModel to `directory`, which appears complete or not at all.

    Args:
        learner: holds the trained model.
        spec: the columns and the label.
        transform_graph: the directory of the transform graph that the model was trained with.
        directory: where; what is there is replaced.
    """
    module = tf.Module()
    module.transform = tf.saved_model.load(str(Path(transform_graph) / _TRANSFORM_FN))
    module.model = learner.model_variables
    partial = directory.with_name(f".{directory.name}.partial")
    for path in (partial, directory):
        if path.exists():
            shutil.rmtree(path)
    signatures = _signatures(learner, spec, module.transform.transform_fn)
    tf.saved_model.save(module, str(partial), signatures=signatures)
    partial.rename(directory)


def _signatures(learner: Learner, spec: DataSpec, transform_fn: TransformFn) -> dict[str, Callable]:
    examples = tf.TensorSpec([None], tf.string, "examples")
    used = {feature.name for feature in spec.features}
    of_label = {spec.label.column, spec.label.ratio_to or spec.label.column}

    def score(columns: Tensors) -> tf.Tensor:
        features = {name: column for name, column in columns.items() if name != LABEL}
        if CATEGORICAL in features:
            features[CATEGORICAL] = tf.cast(features[CATEGORICAL], tf.int32)
        return learner.head.scores(learner.model(features, training=False))

    @tf.function(input_signature=[examples], autograph=False)
    def serving_default(examples: tf.Tensor) -> Tensors:
        raw = _parse(examples, transform_fn, used - {spec.label.column})
        return _answer(score(transform_fn(raw)), spec.label)

    @tf.function(input_signature=[examples], autograph=False)
    def transform_features(examples: tf.Tensor) -> Tensors:
        return transform_fn(_parse(examples, transform_fn, used | of_label))

    @tf.function(autograph=False)
    def score_transformed(**columns: tf.Tensor) -> Tensors:
        return {"scores": score(columns)}

    columns = {
        name: tf.TensorSpec([None, *output.shape[1:]], output.dtype, name)
        for name, output in transform_fn.structured_outputs.items()
        if name != LABEL
    }
    return {
        "serving_default": serving_default.get_concrete_function(),
        "transform_features": transform_features.get_concrete_function(),
        "score_transformed": score_transformed.get_concrete_function(**columns),
    }


def _parse(
    examples: tf.Tensor, transform_fn: TransformFn, names: Iterable[str]
) -> dict[str, tf.SparseTensor]:
    """The inputs of `transform_fn`: those in `names` from `examples`, all others missing."""
    (inputs,), _ = transform_fn.structured_input_signature
    read = {name: tf.io.VarLenFeature(inputs[name].dtype) for name in names}
    raw = tf.io.parse_example(examples, read)
    num_rows = tf.size(examples, tf.int64)
    for name, column in inputs.items():
        if name not in raw:
            raw[name] = tf.SparseTensor(
                tf.zeros([0, 2], tf.int64), tf.zeros([0], column.dtype), tf.stack([num_rows, 0])
            )
    return raw


def _answer(scores: tf.Tensor, label: Label) -> Tensors:
    """What a caller of the model gets for `scores`."""
    if label.problem == "regression":
        return {"prediction": scores}
    answer = {}
    if label.problem == "binary":
        answer["probability"] = scores
        scores = tf.concat([1 - scores, scores], axis=1)
    names = tf.constant(label.classes)
    answer["scores"] = scores
    answer["classes"] = tf.tile(names[tf.newaxis, :], [tf.shape(scores)[0], 1])
    answer["label"] = tf.gather(names, tf.argmax(scores, axis=1))
    return answer

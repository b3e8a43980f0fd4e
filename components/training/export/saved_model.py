"""The SavedModel itself: transform graph, network and signatures; see the package."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import tensorflow as tf

from components.features import IMAGE, DataSpec, Feature, Label
from components.raw_inputs import MISSING, raw_inputs
from components.training.columns import TARGETS, prepare
from components.training.export.learner_like import LearnerLike
from components.training.export.weights import ATTRIBUTE, named_weights

Tensors = dict[str, tf.Tensor]
# A loaded function of one argument, the raw columns by name; TensorFlow has no public type for it.
TransformFn = Any
_TRANSFORM_FN = "transform_fn"
_DTYPES = {"float": tf.float32, "int": tf.int64, "bytes": tf.string}


def save(learner: LearnerLike, spec: DataSpec, *, transform_graph: str, directory: Path) -> None:
    """Writes the SavedModel.

    Args:
        learner: holds the trained model.
        spec: the columns and the label.
        transform_graph: the directory of the transform graph that the model was trained with.
        directory: where; it must not exist.

    Raises:
        NodeFailed: two weights have one name.
    """
    module = tf.Module()
    module.transform = tf.saved_model.load(str(Path(transform_graph) / _TRANSFORM_FN))
    setattr(module, ATTRIBUTE, named_weights(learner))
    signatures = _signatures(learner, spec, module.transform.transform_fn)
    tf.saved_model.save(module, str(directory), signatures=signatures)


def _signatures(
    learner: LearnerLike, spec: DataSpec, transform_fn: TransformFn
) -> dict[str, Callable]:
    examples = tf.TensorSpec([None], tf.string, "examples")
    asked = raw_inputs(spec)
    inputs = {feature.name for feature in asked.values()}
    used = (spec.label.column, spec.label.ratio_to, spec.weight)
    targets = {column for column in used if column is not None}

    def score(columns: Tensors) -> tf.Tensor:
        kept = {name: column for name, column in columns.items() if name not in TARGETS}
        return learner.scores(prepare(kept, spec))

    @tf.function(input_signature=[examples], autograph=False)
    def serving_default(examples: tf.Tensor) -> Tensors:
        raw = _parse(examples, transform_fn, inputs)
        return _answer(score(transform_fn(raw)), spec.label)

    # TF Serving asks Classify and Regress of signatures with these names for what goes in and out.
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")], autograph=False)
    def classify(inputs: tf.Tensor) -> Tensors:
        answer = serving_default(inputs)
        return {"classes": answer["classes"], "scores": answer["scores"]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")], autograph=False)
    def regress(inputs: tf.Tensor) -> Tensors:
        return {"outputs": serving_default(inputs)["prediction"]}

    @tf.function(autograph=False)
    def serving_raw(**columns: tf.Tensor) -> Tensors:
        raw = {asked[name].name: _sparse(column, asked[name]) for name, column in columns.items()}
        num_rows = tf.shape(next(iter(columns.values())), tf.int64)[0]
        return _answer(score(transform_fn(_complete(raw, transform_fn, num_rows))), spec.label)

    @tf.function(input_signature=[examples], autograph=False)
    def transform_features(examples: tf.Tensor) -> Tensors:
        return transform_fn(_parse(examples, transform_fn, inputs | targets))

    @tf.function(autograph=False)
    def score_transformed(**columns: tf.Tensor) -> Tensors:
        return {"scores": score(columns)}

    @tf.function(autograph=False)
    def score_pixels(image: tf.Tensor, **columns: tf.Tensor) -> Tensors:
        return {"scores": learner.scores({**prepare(columns, spec), IMAGE: image})}

    transformed = {
        name: tf.TensorSpec([None, *output.shape[1:]], output.dtype, name)
        for name, output in transform_fn.structured_outputs.items()
        if name not in TARGETS
    }
    signatures = {
        "serving_default": serving_default.get_concrete_function(),
        "serving_raw": serving_raw.get_concrete_function(**_raw_specs(asked)),
        "transform_features": transform_features.get_concrete_function(),
        "score_transformed": score_transformed.get_concrete_function(**transformed),
    }
    asked_by_method = regress if spec.label.problem == "regression" else classify
    signatures[asked_by_method.__name__] = asked_by_method.get_concrete_function()
    for image in spec.of_kind("image"):
        shape = [None, image.height, image.width, image.channels]
        pixels = tf.TensorSpec(shape, tf.uint8, IMAGE)
        columns = transformed | {IMAGE: pixels}
        signatures["score_pixels"] = score_pixels.get_concrete_function(**columns)
    return signatures


def _raw_specs(asked: dict[str, Feature]) -> dict[str, tf.TensorSpec]:
    return {
        name: tf.TensorSpec(
            [None, None] if feature.kind == "series" else [None], _DTYPES[feature.dtype], name
        )
        for name, feature in asked.items()
    }


def _parse(
    examples: tf.Tensor, transform_fn: TransformFn, names: Iterable[str]
) -> dict[str, tf.SparseTensor]:
    """The inputs of `transform_fn`: those in `names` from `examples`, all others missing."""
    (inputs,), _ = transform_fn.structured_input_signature
    read = {name: tf.io.VarLenFeature(inputs[name].dtype) for name in names}
    raw = tf.io.parse_example(examples, read)
    return _complete(raw, transform_fn, tf.size(examples, tf.int64))


def _complete(
    raw: dict[str, tf.SparseTensor], transform_fn: TransformFn, num_rows: tf.Tensor
) -> dict[str, tf.SparseTensor]:
    """`raw` and, missing in every row, the other inputs of `transform_fn`."""
    (inputs,), _ = transform_fn.structured_input_signature
    for name, column in inputs.items():
        if name not in raw:
            raw[name] = tf.SparseTensor(
                tf.zeros([0, 2], tf.int64), tf.zeros([0], column.dtype), tf.stack([num_rows, 0])
            )
    return raw


def _sparse(column: tf.Tensor, feature: Feature) -> tf.SparseTensor:
    """A dense column of `serving_raw` as it would come out of tf.Examples."""
    if feature.dtype == "float":
        present = ~tf.math.is_nan(column)
    else:
        present = tf.not_equal(column, tf.constant(MISSING[feature.dtype], column.dtype))
    if feature.kind == "series":
        # Only the end is padding: a gap inside keeps its place, as in a tf.Example.
        width = tf.shape(column)[1]
        ends = tf.where(present, tf.range(1, width + 1), 0)
        present = tf.sequence_mask(tf.reduce_max(ends, axis=1), width)
    else:
        column, present = column[:, tf.newaxis], present[:, tf.newaxis]
    indices = tf.where(present)
    return tf.SparseTensor(indices, tf.gather_nd(column, indices), tf.shape(column, tf.int64))


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

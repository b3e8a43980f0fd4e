"""What the pipeline itself predicts: Transform's own graph, then the model without a transform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import tensorflow as tf
import tensorflow_transform as tft

from components.errors import ModelNotServable

SCORE_SIGNATURE = "score_transformed"


def transform(rows: Sequence[bytes], transform_graph: Path) -> Mapping[str, tf.Tensor]:
    """Applies Transform's graph to raw rows, as before training.

    Args:
        rows: serialized raw tf.Examples.
        transform_graph: the TransformGraph artifact's folder.

    Returns:
        The tensors described in `components.features`, one row for each of `rows`.
    """
    output = tft.TFTransformOutput(str(transform_graph))
    raw = tf.io.parse_example(list(rows), output.raw_feature_spec())
    return output.transform_raw_features(raw)


def score(transformed: Mapping[str, tf.Tensor], model: Path) -> list[list[float]]:
    """The model's own scores for transformed rows.

    Args:
        transformed: what `transform` returns.
        model: the folder that holds `saved_model.pb`, with the signature `score_transformed`.

    Returns:
        One list a row: a probability, one probability a class, or the predicted number.

    Raises:
        ModelNotServable: the model has no such signature, or it does not take what the transform
            gives.
    """
    # The loaded model must stay referenced: its variables die with it.
    loaded = tf.saved_model.load(str(model))
    if SCORE_SIGNATURE not in loaded.signatures:
        raise ModelNotServable(
            f"The model has no signature '{SCORE_SIGNATURE}', which the check compares with; "
            f"it has: {', '.join(sorted(loaded.signatures))}."
        )
    signature = loaded.signatures[SCORE_SIGNATURE]
    try:
        inputs = signature.structured_input_signature[1]
        scores = signature(**{name: transformed[name] for name in inputs})["scores"]
    except (KeyError, TypeError, ValueError, tf.errors.OpError) as error:
        raise ModelNotServable(
            f"The model's signature '{SCORE_SIGNATURE}' does not take what Transform gives: "
            f"{type(error).__name__}: {str(error).splitlines()[0]}"
        ) from error
    values: list[list[float]] = scores.numpy().astype(float).tolist()
    return values

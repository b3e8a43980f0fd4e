"""Writes a trained model as a SavedModel that needs none of this code.

The transform graph and its vocabularies are inside, so the model reads raw columns. Signatures:

    serving_default       examples: string [N], serialized tf.Examples without the label ->
        binary        probability [N, 1], scores [N, 2], classes [N, 2], label [N]
        multiclass    scores [N, C], classes [N, C], label [N]
        regression    prediction [N, 1]
    serving_raw           one input a raw column, named like it (`components.raw_inputs`) ->
                          the same; for a server's REST interface in its row format:
                          {"instances": [{"fare": 7.5, "company": "", ...}, ...]}
    transform_features    examples: string [N], with label and weight -> the transformed columns
    score_transformed     the transformed columns, without label and weight -> scores [N, units]
    score_pixels          the same, but image: uint8 [N, height, width, channels]; only for a model
                          that reads images: converters to other formats cannot read bytes

An input of `serving_raw` has the type of its column: float32, int64 or string, [N]; a series
is [N, length] of any length, and an image is the bytes of its file (in JSON {"b64": "..."}). A
server wants all inputs named; a missing value is NaN, the smallest int64, or the empty string. A
series ends at its last value that is not missing.

Beside the SavedModel lie, in `assets.extra`, `data_spec.json`, which says what the columns mean,
and the TensorFlow Lite models that were asked for (`tflite`). Its weights can be read by name:
`weights.weights_of`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from components.features import DataSpec
from components.training.export.learner_like import LearnerLike
from components.training.export.saved_model import save
from components.training.export.tflite import Tflite, write_tflite

EXTRA = "assets.extra"
DATA_SPEC = f"{EXTRA}/data_spec.json"


def export(
    learner: LearnerLike,
    spec: DataSpec,
    *,
    transform_graph: str,
    directory: Path,
    tflite: Tflite | None = None,
) -> None:
    """Writes the model to `directory`, which appears complete or not at all.

    Args:
        learner: holds the trained model.
        spec: the columns and the label.
        transform_graph: the directory of the transform graph that the model was trained with.
        directory: where; what is there is replaced.
        tflite: the TensorFlow Lite models to write as well, if any.

    Raises:
        NodeFailed: two weights have one name, or a TensorFlow Lite model cannot be made, or does
            not answer as the model does.
    """
    partial = directory.with_name(f".{directory.name}.partial")
    for path in (partial, directory):
        if path.exists():
            shutil.rmtree(path)
    save(learner, spec, transform_graph=transform_graph, directory=partial)
    (partial / EXTRA).mkdir()
    (partial / DATA_SPEC).write_text(spec.model_dump_json(indent=2), encoding="utf-8")
    if tflite is not None:
        write_tflite(learner, spec.label.problem, tflite, directory=partial / EXTRA)
    partial.rename(directory)

"""A sample of the eval split as columns, and a model that is asked about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.coders import example_coder

from components.evaluation.eval_config import PREDICTION_KEYS
from components.evaluation.scores import Array
from components.features import LABEL, WEIGHT, DataSpec

# Takes serialized tf.Examples; gives tensors by name.
Signature = Callable[..., dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Rows of the eval split.

    Attributes:
        batch: their raw columns, each a list a row, null where it is missing.
        labels: [rows], class indices or values.
        weights: float64 [rows].
        ask: gives the model's answers to a batch of the same columns, float64 [rows], or
            [rows, classes].
    """

    batch: pa.RecordBatch
    labels: Array
    weights: Array
    ask: Callable[[pa.RecordBatch], Array]


def take_sample(
    folders: Sequence[str],
    *,
    model: str,
    schema: schema_pb2.Schema,
    spec: DataSpec,
    num_rows: int,
    most: int,
) -> Sample:
    """Reads every n-th row, and loads the model.

    Args:
        folders: of the TFRecord files of the split.
        model: the folder of the SavedModel.
        schema: of the rows.
        spec: the columns and the label.
        num_rows: how many rows there are.
        most: how many to take at most.
    """
    files = sorted(str(file) for folder in folders for file in Path(folder).iterdir())
    records = tf.data.TFRecordDataset(files, compression_type="GZIP")
    taken = records.shard(max(1, num_rows // most), 0).take(most)
    rows = list(taken.as_numpy_iterator())
    decoder = example_coder.ExamplesToRecordBatchDecoder(schema.SerializeToString())
    encoder = example_coder.RecordBatchToExamplesEncoder()
    loaded = tf.saved_model.load(model)
    serve, transform = (
        loaded.signatures[name] for name in ("serving_default", "transform_features")
    )
    key = PREDICTION_KEYS[spec.label.problem]

    def ask(batch: pa.RecordBatch) -> Array:
        answers = serve(examples=tf.constant(encoder.encode(batch)))[key].numpy()
        answers = answers.astype(np.float64)
        return answers[:, 0] if answers.shape[1] == 1 else answers

    truth = transform(examples=tf.constant(rows))
    labels = truth[LABEL].numpy()
    weights = truth[WEIGHT].numpy() if spec.weight is not None else np.ones(len(rows))
    is_known = np.isfinite(labels) if spec.label.problem == "regression" else labels >= 0
    batch = decoder.DecodeBatch(rows).filter(pa.array(is_known))
    return Sample(
        batch=batch,
        labels=labels[is_known],
        weights=weights[is_known].astype(np.float64),
        ask=ask,
    )

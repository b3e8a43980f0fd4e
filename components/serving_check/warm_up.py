"""Requests that a server replays when it loads the model, so that no client waits for its start.

TF Serving reads them from `assets.extra/tf_serving_warmup_requests`, a TFRecord file of at most
1000 PredictionLogs.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from components.features import DataSpec
from components.raw_inputs import raw_inputs
from components.serving_check.probe import RAW_SIGNATURE, SIGNATURE
from components.serving_check.raw import raw_columns

FILE = "tf_serving_warmup_requests"
# Clients ask for one row, servers put requests together.
BATCHES = (1, 8, 64)
# Rows of images are large, and every version carries the file: then only the small batches.
MAX_BYTES = 4 << 20

_EXAMPLES = "examples"
_TYPES = {"bytes": tf.string, "float": tf.float32, "int": tf.int64}


def write_requests(folder: Path, rows: Sequence[bytes], data_spec: DataSpec) -> Path:
    """Writes requests with real rows for both signatures.

    Args:
        folder: gets the file `tf_serving_warmup_requests`.
        rows: serialized tf.Examples as a client sends them, at least one.
        data_spec: the columns, to send the rows as columns too.

    Returns:
        The file.
    """
    path = folder / FILE
    draft = folder / f".{FILE}.draft"
    with tf.io.TFRecordWriter(str(draft)) as writer:
        for record in _records(rows, data_spec):
            writer.write(record)
    draft.replace(path)
    return path


def _records(rows: Sequence[bytes], data_spec: DataSpec) -> Iterator[bytes]:
    num_bytes = 0
    for size in sorted({min(size, len(rows)) for size in BATCHES}):
        for signature, inputs in (
            (SIGNATURE, {_EXAMPLES: _tensor(list(rows[:size]), tf.string, [size])}),
            (RAW_SIGNATURE, _columns(rows[:size], data_spec)),
        ):
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.signature_name = signature
            for name, tensor in inputs.items():
                request.inputs[name].CopyFrom(tensor)
            record: bytes = log.SerializeToString()
            num_bytes += len(record)
            if size > 1 and num_bytes > MAX_BYTES:
                return
            yield record


def _columns(rows: Sequence[bytes], data_spec: DataSpec) -> dict[str, Any]:
    types = {name: _TYPES[feature.dtype] for name, feature in raw_inputs(data_spec).items()}
    return {
        name: _tensor(
            [base64.b64decode(value) for value in column["values"]]
            if column["base64"]
            else column["values"],
            types[name],
            column["shape"],
        )
        for name, column in raw_columns(rows, data_spec).items()
    }


def _tensor(values: list[Any], dtype: tf.DType, shape: list[int]) -> Any:
    return tf.make_tensor_proto(values, dtype=dtype, shape=shape)

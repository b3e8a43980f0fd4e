"""Replays `assets.extra/tf_serving_warmup_requests`, as TF Serving does before a version is ready.

The file holds TFRecords of PredictionLog. The first call of a signature builds its executor and
takes a hundred times longer than the next; nobody but the warm-up should wait for it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from serving import tensor_protos
from serving.errors import ModelError
from serving.protos import prediction_log_pb2
from serving.runtime import SavedModel
from serving.server import examples

WARMUP = "assets.extra/tf_serving_warmup_requests"
MAX_RECORDS = 1000  # TF Serving refuses more
_DEFAULT_SIGNATURE = "serving_default"
# A TFRecord: length, its checksum, the data, its checksum.
_HEADER = struct.Struct("<QI")
_FOOTER_BYTES = 4


def replay(model: SavedModel, path: Path) -> int:
    """Asks `model` every request of the version's warm-up file.

    Args:
        model: the loaded model.
        path: the folder of the version.

    Returns:
        How many requests it was asked; 0 without a file.

    Raises:
        ModelError: the file is damaged, or the model fails on a request.
    """
    count = 0
    for signature, inputs in requests(path):
        try:
            model.run(inputs, signature=signature)
        except ModelError as error:
            raise ModelError(
                f"Request {count + 1} of {path / WARMUP} fails: {error}", code=error.code
            ) from error
        count += 1
    return count


def requests(path: Path) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """The signature and the inputs of each request in the version's warm-up file.

    Raises:
        ModelError: the file is damaged, or has more than `MAX_RECORDS` records.
    """
    file = path / WARMUP
    if not file.is_file():
        return
    for number, record in enumerate(_records(file), 1):
        if number > MAX_RECORDS:
            raise ModelError(f"{file} has more than {MAX_RECORDS} records, as TF Serving allows.")
        try:
            found = _request(record)
        except Exception as error:
            raise ModelError(f"Record {number} of {file} is damaged: {error}") from error
        if found is not None:
            yield found


def _request(record: bytes) -> tuple[str, dict[str, np.ndarray]] | None:
    log = prediction_log_pb2.PredictionLog.FromString(record)
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        request = log.predict_log.request
        inputs = {name: tensor_protos.to_array(proto) for name, proto in request.inputs.items()}
    elif kind in ("classify_log", "regress_log"):
        request = getattr(log, kind).request
        inputs = {examples.INPUT: examples.serialized(request.input)}
    else:
        return None
    return request.model_spec.signature_name or _DEFAULT_SIGNATURE, inputs


def _records(file: Path) -> Iterator[bytes]:
    """The data of each TFRecord; its own length says where it ends, its checksums are not read."""
    with file.open("rb") as reader:
        while header := reader.read(_HEADER.size):
            length = _HEADER.unpack(header)[0] if len(header) == _HEADER.size else -1
            rest = reader.read(length + _FOOTER_BYTES) if 0 <= length < 2**31 else b""
            if len(rest) != length + _FOOTER_BYTES:
                raise ModelError(f"{file} is no file of TFRecords, or it was cut off.")
            yield rest[:-_FOOTER_BYTES]

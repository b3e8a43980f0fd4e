"""The requests that a server replays when it loads a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from components.features import DataSpec
from components.serving_check import warm_up
from components.serving_check.rows import as_client_sends
from components.serving_check.warm_up import write_requests
from tests.unit.components.serving_check.models import MakeModel, make_row, serialize
from tests.unit.components.serving_check.specs import make_data_spec

SIGNATURES = ("serving_default", "serving_raw")


@pytest.fixture
def spec() -> DataSpec:
    return make_data_spec()


@pytest.fixture
def rows(spec: DataSpec) -> list[bytes]:
    return as_client_sends([serialize(make_row(i)) for i in range(40)], spec)


def read(path: Path) -> list[Any]:
    """The requests, as TF Serving reads them."""
    records = tf.data.TFRecordDataset(str(path))
    logs = [prediction_log_pb2.PredictionLog.FromString(item.numpy()) for item in records]
    assert {log.WhichOneof("log_type") for log in logs} == {"predict_log"}
    return [log.predict_log.request for log in logs]


def test_both_signatures_are_asked_one_row_and_more(
    rows: list[bytes], spec: DataSpec, tmp_path: Path
) -> None:
    path = write_requests(tmp_path, rows, spec)
    assert path == tmp_path / "tf_serving_warmup_requests"
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    requests = read(path)
    assert len(requests) <= 1000
    asked = [
        (
            request.model_spec.signature_name,
            {tensor.tensor_shape.dim[0].size for tensor in request.inputs.values()},
        )
        for request in requests
    ]
    assert asked == [(name, {size}) for size in (1, 8, 40) for name in SIGNATURES]
    examples = tf.make_ndarray(requests[4].inputs["examples"])
    assert list(examples) == rows


def test_requests_are_answered_by_the_model_alike(
    rows: list[bytes], spec: DataSpec, tmp_path: Path, make_model: MakeModel
) -> None:
    model = tf.saved_model.load(str(make_model("warm")))
    answers: dict[str, Any] = {name: [] for name in SIGNATURES}
    for request in read(write_requests(tmp_path, rows, spec)):
        signature = model.signatures[request.model_spec.signature_name]
        inputs = {
            name: tf.io.parse_tensor(tensor.SerializeToString(), tf.dtypes.as_dtype(tensor.dtype))
            for name, tensor in request.inputs.items()
        }
        answers[request.model_spec.signature_name].append(signature(**inputs)["probability"])
    for default, raw in zip(*answers.values(), strict=True):
        tf.debugging.assert_near(default, raw)


def test_rows_that_are_large_are_sent_alone(
    rows: list[bytes], spec: DataSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm_up, "MAX_BYTES", 10)
    requests = read(write_requests(tmp_path, rows, spec))
    assert [request.model_spec.signature_name for request in requests] == list(SIGNATURES)


def test_one_row_is_enough(rows: list[bytes], spec: DataSpec, tmp_path: Path) -> None:
    assert len(read(write_requests(tmp_path, rows[:1], spec))) == 2

"""The warm-up that is shipped with a version."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
import tensorflow as tf

from serving import tensor_protos
from serving.errors import ModelError
from serving.protos import prediction_log_pb2
from serving.runtime import SavedModel
from serving.server.engine import Engine, Target
from serving.server.settings import EngineSettings
from serving.server.warmup import WARMUP, replay, requests
from tests.contract import served_models
from tests.contract.served_models import MODEL


@pytest.fixture
def version(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    serving = served_models.serving_folder(tmp_path_factory.getbasetemp())
    copy = tmp_path / MODEL / "1"
    shutil.copytree(serving / MODEL / "1", copy)
    return copy


def write(version: Path, *logs: prediction_log_pb2.PredictionLog) -> None:
    with tf.io.TFRecordWriter(str(version / WARMUP)) as writer:
        for log in logs:
            writer.write(log.SerializeToString())


def predict_log(signature: str, fare: bytes = b"") -> prediction_log_pb2.PredictionLog:
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = signature
    array = tensor_protos.to_array(tf.make_tensor_proto([fare]))
    request.inputs["examples"].CopyFrom(tensor_protos.to_proto(array))
    return log


def test_every_kind_of_request_is_replayed(version: Path) -> None:
    classify = prediction_log_pb2.PredictionLog()
    request = classify.classify_log.request
    request.model_spec.signature_name = "classify"
    request.input.example_list.examples.add()
    regress = prediction_log_pb2.PredictionLog()
    regress.regress_log.request.model_spec.signature_name = "regress"
    listed = regress.regress_log.request.input.example_list_with_context
    listed.context.features.feature["fare"].float_list.value.append(1.0)
    listed.examples.add()
    unknown = prediction_log_pb2.PredictionLog()
    unknown.session_run_log.request.model_spec.name = MODEL
    write(version, predict_log(""), predict_log("serving_default"), classify, regress, unknown)
    assert [signature for signature, _ in requests(version)] == [
        *("serving_default", "serving_default", "classify", "regress")
    ]
    assert replay(SavedModel(version), version) == 4


def test_a_version_without_a_warm_up_is_ready_at_once(version: Path) -> None:
    (version / WARMUP).unlink()
    assert replay(SavedModel(version), version) == 0


@pytest.mark.parametrize("keep", [1, 11, 12, 20, -1])
def test_a_file_that_is_cut_off_is_named(version: Path, keep: int) -> None:
    write(version, predict_log("serving_default"))
    content = (version / WARMUP).read_bytes()
    (version / WARMUP).write_bytes(content[:keep])
    with pytest.raises(ModelError, match="is no file of TFRecords, or it was cut off"):
        list(requests(version))


def test_a_version_that_fails_on_its_warm_up_is_not_served(version: Path) -> None:
    write(version, predict_log("serving_default"), predict_log("serving_default", b"no example"))

    async def run() -> None:
        engine = Engine(EngineSettings(serving=version.parents[1], poll_s=0))
        await engine.start()
        (status,) = engine.statuses(Target(MODEL))
        assert (status.state, status.code) == ("END", "INVALID_ARGUMENT")
        assert f"Request 2 of {version / WARMUP} fails" in status.message
        assert engine.not_ready() == f"no version is available of: {MODEL}"
        await engine.stop()

    asyncio.run(run())


def test_more_records_than_tf_serving_takes_are_refused(version: Path) -> None:
    write(version, *[predict_log("serving_default")] * 1001)
    with pytest.raises(ModelError, match="more than 1000 records"):
        list(requests(version))

"""TF Serving's gRPC API, asked with its own stubs; codes and messages are those of its source."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from serving.protos import (
    classification_pb2,
    example_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
    tensor_pb2,
    types_pb2,
)
from serving.tensor_protos import to_array, to_proto
from tests.contract import served_models
from tests.contract.served_models import MODEL, probability
from tests.contract.servers import KINDS, TENSORFLOW, Server, running

TIMEOUT_S = 20
CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"
EVERY = "signature_def"


class Client:
    """The stubs of one server."""

    def __init__(self, server: Server) -> None:
        self.kind = server.kind
        self.channel = grpc.insecure_channel(server.grpc)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def predict(self, fares: list[float], **spec: Any) -> Any:
        request = predict_pb2.PredictRequest(model_spec=model_spec(**spec))
        request.inputs["examples"].CopyFrom(to_proto(examples(fares)))
        return self.prediction.Predict(request, TIMEOUT_S)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return served_models.serving_folder(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module", params=KINDS)
def client(serving: Path, request: pytest.FixtureRequest) -> Iterator[Client]:
    flags = ["--enable_grpc_healthcheck_service=true"] if request.param == TENSORFLOW else []
    with running(serving, *flags, kind=request.param) as server:
        client = Client(server)
        yield client
        client.channel.close()


def model_spec(name: str = MODEL, **more: Any) -> Any:
    spec = model_pb2.ModelSpec(name=name, signature_name=more.pop("signature", ""))
    if "version" in more:
        spec.version.value = more["version"]
    if "label" in more:
        spec.version_label = more["label"]
    return spec


def example(fare: float | None) -> Any:
    made = example_pb2.Example()
    if fare is not None:
        made.features.feature["fare"].float_list.value.append(fare)
    return made


def examples(fares: list[float]) -> np.ndarray:
    array = np.empty(len(fares), object)
    array[:] = [example(fare).SerializeToString() for fare in fares]
    return array


def refused(call: Any, *args: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(*args, TIMEOUT_S)
    return caught.value.code(), caught.value.details()


def test_predict_answers_every_output_and_who_answered(client: Client) -> None:
    response = client.predict([12.5, -40.0], version=1)
    assert response.model_spec.name == MODEL
    assert response.model_spec.version.value == 1
    assert response.model_spec.signature_name == "serving_default"
    assert set(response.outputs) == {"probability", "scores", "classes", "label"}
    likely = response.outputs["probability"]
    # Clients of TF Serving read the fields of the type.
    assert list(likely.float_val) == pytest.approx([probability(12.5), probability(-40.0)])
    assert [dim.size for dim in likely.tensor_shape.dim] == [2, 1]
    assert list(response.outputs["label"].string_val) == [b"big", b"small"]


@pytest.mark.parametrize(
    ("spec", "version"), [({}, 2), ({"version": 1}, 1), ({"label": "stable"}, 1)]
)
def test_predict_goes_to_the_version_that_is_asked(
    client: Client, spec: dict[str, Any], version: int
) -> None:
    response = client.predict([10.0], **spec)
    assert response.model_spec.version.value == version
    expected = probability(10.0, weight=version)
    assert to_array(response.outputs["probability"]).item() == pytest.approx(expected)


@pytest.mark.parametrize("as_bytes", [True, False])
def test_raw_columns_of_all_types_can_be_given_in_both_forms(
    client: Client, as_bytes: bool
) -> None:
    request = predict_pb2.PredictRequest(model_spec=model_spec(signature="serving_raw", version=1))
    for name, array in served_models.raw_row(served_models.ROWS[0]).items():
        request.inputs[name].CopyFrom(to_proto(array, as_bytes=as_bytes))
    response = client.prediction.Predict(request, TIMEOUT_S)
    assert to_array(response.outputs["probability"]).item() == pytest.approx(probability(12.5))


def test_the_output_filter_chooses(client: Client) -> None:
    request = predict_pb2.PredictRequest(model_spec=model_spec(), output_filter=["label"])
    request.inputs["examples"].CopyFrom(to_proto(examples([1.0])))
    assert list(client.prediction.Predict(request, TIMEOUT_S).outputs) == ["label"]
    request.output_filter[:] = ["label", "label"]
    assert refused(client.prediction.Predict, request) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "duplicate output tensor alias: label",
    )
    request.output_filter[:] = ["nothing"]
    code, details = refused(client.prediction.Predict, request)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details.startswith("output tensor alias not found in signature: nothing Outputs")


@pytest.mark.parametrize(
    ("spec", "code", "details"),
    [
        ({"name": "no"}, "NOT_FOUND", "Servable not found for request: Latest(no)"),
        (
            {"version": 99},
            "NOT_FOUND",
            f"Servable not found for request: Specific({MODEL}, 99)",
        ),
        ({"label": "no"}, "INVALID_ARGUMENT", "Unrecognized servable version label: no"),
        ({"name": ""}, "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        (
            {"signature": "no"},
            "FAILED_PRECONDITION",
            'Serving signature key "no" not found.',
        ),
    ],
)
def test_who_is_not_there_is_told(
    client: Client, spec: dict[str, Any], code: str, details: str
) -> None:
    request = predict_pb2.PredictRequest(model_spec=model_spec(**spec))
    request.inputs["examples"].CopyFrom(to_proto(examples([1.0])))
    assert refused(client.prediction.Predict, request) == (grpc.StatusCode[code], details)


def test_a_request_without_a_model_is_refused(client: Client) -> None:
    missing = (grpc.StatusCode.INVALID_ARGUMENT, "Missing ModelSpec")
    prediction, model = client.prediction, client.model
    assert refused(prediction.Predict, predict_pb2.PredictRequest()) == missing
    assert refused(prediction.Classify, classification_pb2.ClassificationRequest()) == missing
    assert refused(prediction.Regress, regression_pb2.RegressionRequest()) == missing
    metadata = get_model_metadata_pb2.GetModelMetadataRequest()
    assert refused(prediction.GetModelMetadata, metadata) == missing
    assert refused(model.GetModelStatus, get_model_status_pb2.GetModelStatusRequest()) == missing


def test_wrong_inputs_are_told_apart(client: Client) -> None:
    request = predict_pb2.PredictRequest(model_spec=model_spec())
    request.inputs["wrong"].CopyFrom(to_proto(examples([1.0])))
    request.inputs["more"].CopyFrom(to_proto(examples([1.0])))
    code, details = refused(client.prediction.Predict, request)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details == (
        "input size does not match signature: 2!=1 len({more,wrong}) != len({examples}). "
        "Sent extra: {more,wrong}. Missing but required: {examples}."
    )
    request = predict_pb2.PredictRequest(model_spec=model_spec())
    request.inputs["examples"].CopyFrom(to_proto(np.array([1.0], np.float32)))
    assert refused(client.prediction.Predict, request)[0] is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "tensor",
    [
        {"dtype": types_pb2.DT_FLOAT, "tensor_content": b"123"},
        {"dtype": types_pb2.DT_RESOURCE},
        {"dtype": types_pb2.DT_STRING, "string_val": [b"a", b"b", b"c"]},
    ],
)
def test_a_damaged_tensor_is_refused(client: Client, tensor: dict[str, Any]) -> None:
    request = predict_pb2.PredictRequest(model_spec=model_spec())
    found = tensor_pb2.TensorProto(**tensor)
    found.tensor_shape.dim.add(size=1)
    request.inputs["examples"].CopyFrom(found)
    code, details = refused(client.prediction.Predict, request)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "tensor parsing error: examples" in details


def test_a_short_message_with_a_huge_shape_takes_no_memory(client: Client) -> None:
    if client.kind == TENSORFLOW:
        pytest.skip("how TF Serving takes this is its own business")
    request = predict_pb2.PredictRequest(model_spec=model_spec())
    found = request.inputs["examples"]
    found.dtype = types_pb2.DT_STRING
    found.string_val.append(b"")
    found.tensor_shape.dim.add(size=1 << 40)
    code, details = refused(client.prediction.Predict, request)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "bytes" in details


def test_classify_answers_classes_with_scores(client: Client) -> None:
    request = classification_pb2.ClassificationRequest(model_spec=model_spec(signature="classify"))
    request.model_spec.version.value = 1
    request.input.example_list.examples.extend([example(20.0), example(None)])
    response = client.prediction.Classify(request, TIMEOUT_S)
    assert response.model_spec.version.value == 1
    assert response.model_spec.signature_name == "classify"
    found = [
        {item.label: item.score for item in row.classes} for row in response.result.classifications
    ]
    assert found == [
        pytest.approx({"small": 1 - probability(20.0), "big": probability(20.0)}),
        pytest.approx({"small": 0.5, "big": 0.5}),
    ]


def test_regress_merges_the_context_into_each_example(client: Client) -> None:
    request = regression_pb2.RegressionRequest(model_spec=model_spec(signature="regress"))
    request.model_spec.version.value = 1
    listed = request.input.example_list_with_context
    listed.context.CopyFrom(example(7.0))
    listed.examples.extend([example(None), example(9.0)])
    response = client.prediction.Regress(request, TIMEOUT_S)
    found = [item.value for item in response.result.regressions]
    assert found == pytest.approx([probability(7.0), probability(9.0)])


def test_classify_and_regress_refuse_what_is_none(client: Client) -> None:
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    request = classification_pb2.ClassificationRequest(model_spec=model_spec())
    request.input.example_list.examples.append(example(1.0))
    assert refused(client.prediction.Classify, request)[0] is invalid
    request.model_spec.signature_name = "no"
    assert refused(client.prediction.Classify, request) == (
        invalid,
        "No signature was found with the name: no",
    )
    empty = regression_pb2.RegressionRequest(model_spec=model_spec(signature="regress"))
    assert refused(client.prediction.Regress, empty) == (invalid, "Input is empty.")


def task(signature: str, method: str, model: str = MODEL) -> Any:
    spec = model_spec(model, signature=signature, version=1)
    return inference_pb2.InferenceTask(model_spec=spec, method_name=method)


def test_multi_inference_asks_one_version_in_several_ways(client: Client) -> None:
    request = inference_pb2.MultiInferenceRequest(
        tasks=[task("classify", CLASSIFY), task("regress", REGRESS)]
    )
    request.input.example_list.examples.append(example(20.0))
    response = client.prediction.MultiInference(request, TIMEOUT_S)
    first, second = response.results
    assert first.model_spec.signature_name == "classify"
    assert second.model_spec.version.value == 1
    assert first.classification_result.classifications[0].classes[1].score == pytest.approx(
        second.regression_result.regressions[0].value
    )


@pytest.mark.parametrize(
    ("tasks", "code", "details"),
    [
        (
            [task("classify", CLASSIFY), task("classify", CLASSIFY)],
            "INVALID_ARGUMENT",
            "Duplicate evaluation of signature: classify",
        ),
        (
            [task("classify", CLASSIFY), task("regress", REGRESS, "other")],
            "INVALID_ARGUMENT",
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        (
            [task("classify", "tensorflow/serving/predict")],
            "UNIMPLEMENTED",
            "Unsupported signature method_name: tensorflow/serving/predict",
        ),
        (
            [task("no", CLASSIFY)],
            "INVALID_ARGUMENT",
            "Requested signature not found in model graph: no",
        ),
    ],
)
def test_multi_inference_refuses_tasks_that_do_not_fit(
    client: Client, tasks: list[Any], code: str, details: str
) -> None:
    request = inference_pb2.MultiInferenceRequest(tasks=tasks)
    request.input.example_list.examples.append(example(1.0))
    assert refused(client.prediction.MultiInference, request) == (grpc.StatusCode[code], details)


def test_metadata_tells_the_signatures(client: Client) -> None:
    request = get_model_metadata_pb2.GetModelMetadataRequest(
        model_spec=model_spec(label="stable"), metadata_field=[EVERY]
    )
    response = client.prediction.GetModelMetadata(request, TIMEOUT_S)
    assert response.model_spec.version.value == 1
    found = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata[EVERY].Unpack(found)
    raw = found.signature_def["serving_raw"]
    assert raw.inputs["fare"].dtype == types_pb2.DT_FLOAT
    assert [dim.size for dim in raw.inputs["speeds"].tensor_shape.dim] == [-1, -1]
    assert raw.method_name == "tensorflow/serving/predict"


def test_metadata_refuses_fields_that_it_does_not_have(client: Client) -> None:
    request = get_model_metadata_pb2.GetModelMetadataRequest(model_spec=model_spec())
    assert refused(client.prediction.GetModelMetadata, request) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "GetModelMetadataRequest must specify at least one metadata_field",
    )
    request.metadata_field.append("weights")
    assert refused(client.prediction.GetModelMetadata, request) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "Metadata field weights is not supported",
    )


def test_status_tells_the_state_of_versions(client: Client) -> None:
    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    request = get_model_status_pb2.GetModelStatusRequest(model_spec=model_spec())
    found = client.model.GetModelStatus(request, TIMEOUT_S).model_version_status
    assert [(status.version, status.state) for status in found] == [(2, available), (1, available)]
    assert {status.status.error_code for status in found} == {0}
    request.model_spec.version.value = 1
    found = client.model.GetModelStatus(request, TIMEOUT_S).model_version_status
    assert [status.version for status in found] == [1]
    request.model_spec.version.value = 7
    assert refused(client.model.GetModelStatus, request) == (
        grpc.StatusCode.NOT_FOUND,
        f"Could not find version 7 of model {MODEL}",
    )
    request.model_spec.CopyFrom(model_spec("no"))
    assert refused(client.model.GetModelStatus, request) == (
        grpc.StatusCode.NOT_FOUND,
        "Could not find any versions of model no",
    )


def test_health_is_told_as_orchestrators_ask_for_it(client: Client) -> None:
    stub = health_pb2_grpc.HealthStub(client.channel)
    response = stub.Check(health_pb2.HealthCheckRequest(), TIMEOUT_S)
    assert response.status == health_pb2.HealthCheckResponse.SERVING


def test_a_deadline_that_is_over_ends_the_request(client: Client) -> None:
    request = predict_pb2.PredictRequest(model_spec=model_spec())
    request.inputs["examples"].CopyFrom(to_proto(examples([1.0])))
    with pytest.raises(grpc.RpcError) as caught:
        client.prediction.Predict(request, 1e-6)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_nan_and_infinity_pass_through(client: Client) -> None:
    response = client.predict([math.inf, -math.inf], version=1)
    assert list(response.outputs["probability"].float_val) == [1.0, 0.0]


def config(serving: Path, versions: list[int], labels: dict[str, int]) -> Any:
    request = model_management_pb2.ReloadConfigRequest()
    entry = request.config.model_config_list.config.add(
        name=MODEL, base_path=str(serving / MODEL), model_platform="tensorflow"
    )
    entry.model_version_policy.specific.versions.extend(versions)
    entry.version_labels.update(labels)
    return request


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_configuration_is_served_when_the_call_returns(
    serving: Path, tmp_path: Path, kind: str
) -> None:
    mine = tmp_path / "serving"
    mine.mkdir()
    shutil.copytree(serving / MODEL, mine / MODEL)
    served_models.write_config(mine, MODEL, [1], {"stable": 1})
    with running(mine, kind=kind) as server:
        client = Client(server)
        unknown = (
            grpc.StatusCode.NOT_FOUND,
            f"Servable not found for request: Specific({MODEL}, 2)",
        )
        request = predict_pb2.PredictRequest(model_spec=model_spec(version=2))
        request.inputs["examples"].CopyFrom(to_proto(examples([1.0])))
        assert refused(client.prediction.Predict, request) == unknown
        reload = client.model.HandleReloadConfigRequest
        response = reload(config(mine, [1, 2], {"stable": 1}), TIMEOUT_S)
        assert response.status.error_code == 0
        assert client.predict([1.0], version=2).model_spec.version.value == 2
        # First the version, then its label.
        reload(config(mine, [1, 2], {"stable": 2}), TIMEOUT_S)
        assert client.predict([1.0], label="stable").model_spec.version.value == 2
        code, details = refused(reload, config(mine, [1, 2], {"stable": 9}))
        assert code is grpc.StatusCode.FAILED_PRECONDITION
        assert "which is not currently available for inference" in details
        assert client.predict([1.0], label="stable").model_spec.version.value == 2
        code, _ = refused(reload, model_management_pb2.ReloadConfigRequest())
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        client.channel.close()

"""TF Serving's REST API, asked with `requests`; codes and messages are those of its source."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from serving.protos import example_pb2
from tests.contract import served_models
from tests.contract.served_models import MODEL, ROWS, probability
from tests.contract.servers import EMBEDDED, KINDS, TENSORFLOW, Server, running

TIMEOUT_S = 20


class Client:
    """One server's REST API."""

    def __init__(self, server: Server) -> None:
        self.kind = server.kind
        self._url = server.rest
        self._session = requests.Session()

    def get(self, path: str) -> requests.Response:
        return self._session.get(self._url + path, timeout=TIMEOUT_S)

    def ask(
        self, document: Any, *, which: str = "", method: str = "predict", model: str = MODEL
    ) -> requests.Response:
        url = f"{self._url}/v1/models/{model}{which}:{method}"
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self._session.post(url, data=body, timeout=TIMEOUT_S)

    def send(self, http_method: str, path: str, **more: Any) -> requests.Response:
        return self._session.request(http_method, self._url + path, timeout=TIMEOUT_S, **more)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return served_models.serving_folder(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module", params=KINDS)
def client(serving: Path, request: pytest.FixtureRequest) -> Iterator[Client]:
    with running(serving, kind=request.param) as server:
        yield Client(server)


def encoded(fare: float | None) -> dict[str, str]:
    example = example_pb2.Example()
    if fare is not None:
        example.features.feature["fare"].float_list.value.append(fare)
    return {"b64": base64.b64encode(example.SerializeToString()).decode()}


def raw(fare: float) -> dict[str, Any]:
    return {
        "fare": fare,
        "num_stops": 1,
        "payment": "Cash",
        "weekday": 2,
        "shared": "",
        "begin": 5,
        "note": "ä",
        "speeds": [1.5, 2.5],
        "photo": {"b64": base64.b64encode(ROWS[0]["photo"]).decode()},
    }


def failed(response: requests.Response, status: int) -> str:
    """The message of an answer that is an error and nothing else."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    document = response.json()
    assert list(document) == ["error"]
    return document["error"]


def test_status_lists_the_versions(client: Client) -> None:
    response = client.get(f"/v1/models/{MODEL}")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    healthy = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    found = response.json()["model_version_status"]
    assert sorted(found, key=lambda status: status["version"]) == [
        {"version": "1", **healthy},
        {"version": "2", **healthy},
    ]
    one = client.get(f"/v1/models/{MODEL}/versions/2").json()
    assert one == {"model_version_status": [{"version": "2", **healthy}]}


def test_metadata_tells_the_signatures(client: Client) -> None:
    document = client.get(f"/v1/models/{MODEL}/versions/1/metadata").json()
    assert document["model_spec"] == {"name": MODEL, "signature_name": "", "version": "1"}
    signatures = document["metadata"]["signature_def"]["signature_def"]
    assert {"serving_default", "serving_raw", "classify", "regress"} <= signatures.keys()
    speeds = signatures["serving_raw"]["inputs"]["speeds"]
    assert speeds["dtype"] == "DT_FLOAT"
    assert speeds["tensor_shape"] == {
        "dim": [{"size": "-1", "name": ""}, {"size": "-1", "name": ""}],
        "unknown_rank": False,
    }
    assert signatures["serving_default"]["method_name"] == "tensorflow/serving/predict"


@pytest.mark.parametrize(
    ("which", "weight"),
    [("", 2.0), ("/versions/1", 1.0), ("/versions/2", 2.0), ("/labels/stable", 1.0)],
)
def test_the_version_that_is_asked_for_answers(client: Client, which: str, weight: float) -> None:
    response = client.ask({"instances": [encoded(12.5), encoded(None)]}, which=which)
    assert response.status_code == 200
    first, second = response.json()["predictions"]
    assert first["probability"] == pytest.approx([probability(12.5, weight)])
    assert first["scores"] == pytest.approx([1 - first["probability"][0], first["probability"][0]])
    assert first["classes"] == ["small", "big"]
    assert (first["label"], second["label"]) == ("big", "small")
    assert second["probability"] == [0.5]
    if client.kind == EMBEDDED:
        assert response.headers["model-version"] == str(int(weight))


def test_rows_of_raw_columns_and_columns_of_rows_agree(client: Client) -> None:
    rows = [raw(-3.5), raw(20)]
    by_row = client.ask({"signature_name": "serving_raw", "instances": rows}).json()
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    by_column = client.ask({"signature_name": "serving_raw", "inputs": columns}).json()
    assert list(by_row) == ["predictions"]
    assert list(by_column) == ["outputs"]
    assert by_column["outputs"] == {
        name: [row[name] for row in by_row["predictions"]] for name in by_row["predictions"][0]
    }
    assert by_row["predictions"][0]["probability"] == pytest.approx([probability(-3.5, 2.0)])


def test_nan_is_a_number(client: Client) -> None:
    row = raw(0)
    row["fare"] = float("nan")
    response = client.ask({"signature_name": "serving_raw", "instances": [row]})
    assert response.json()["predictions"][0]["probability"] == [0.5]


def test_classify_and_regress_take_examples_of_plain_values(client: Client) -> None:
    body = {"signature_name": "classify", "examples": [{"fare": 12.5}, {}]}
    first, second = client.ask(body, method="classify", which="/versions/1").json()["results"]
    assert [label for label, _ in first] == ["small", "big"]
    assert first[1][1] == pytest.approx(probability(12.5))
    assert second == [["small", 0.5], ["big", 0.5]]
    body = {"signature_name": "regress", "context": {"fare": 12.5}, "examples": [{}, {}]}
    found = client.ask(body, method="regress", which="/labels/stable").json()
    assert found == {"results": pytest.approx([probability(12.5)] * 2)}


def test_a_single_output_is_not_named(client: Client) -> None:
    inputs = [encoded(12.5), encoded(0.0)]
    body = {"signature_name": "regress", "instances": inputs}
    expected = [[probability(12.5)], [0.5]]
    found = client.ask(body, which="/versions/1").json()["predictions"]
    assert found == [pytest.approx(row) for row in expected]
    body = {"signature_name": "regress", "inputs": {"inputs": inputs}}
    found = client.ask(body, which="/versions/1").json()["outputs"]
    assert found == [pytest.approx(row) for row in expected]


def test_a_packed_body_is_unpacked(client: Client) -> None:
    body = gzip.compress(json.dumps({"instances": [encoded(None)]}).encode())
    response = client.send(
        "POST",
        f"/v1/models/{MODEL}:predict",
        data=body,
        headers={"content-encoding": "gzip"},
    )
    assert response.json()["predictions"][0]["probability"] == [0.5]


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        ("/v1/models/none", 404, "Could not find any versions of model none"),
        (f"/v1/models/{MODEL}/versions/9", 404, f"Could not find version 9 of model {MODEL}"),
        (f"/v1/models/{MODEL}/versions/9/metadata", 404, "Servable not found for request: "),
        ("/v1/models/none/metadata", 404, "Servable not found for request: Latest(none)"),
        (f"/v1/models/{MODEL}/labels/x/metadata", 400, "Unrecognized servable version label: x"),
        ("/v1/models", 400, "Missing model name in request."),
        ("/v1/", 400, "Malformed request: GET /v1/"),
        (f"/v1/models/{MODEL}/versions/x", 400, "Malformed request: GET "),
        (f"/v1/models/{MODEL}:predict", 400, f"Malformed request: GET /v1/models/{MODEL}:predict"),
        (f"/v1/models/{MODEL}/versions/{2**63}", 400, "Failed to convert version: "),
    ],
)
def test_what_cannot_be_got_is_said(client: Client, path: str, status: int, expected: str) -> None:
    assert expected in failed(client.get(path), status)


@pytest.mark.parametrize("http_method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_malformed(client: Client, http_method: str) -> None:
    path = f"/v1/models/{MODEL}:predict"
    assert failed(client.send(http_method, path), 400) == f"Malformed request: {http_method} {path}"


def test_a_post_without_a_method_is_malformed(client: Client) -> None:
    path = f"/v1/models/{MODEL}"
    assert failed(client.send("POST", path, data="{}"), 400) == f"Malformed request: POST {path}"


@pytest.mark.parametrize(
    ("which", "model", "status", "expected"),
    [
        ("", "none", 404, "Servable not found for request: Latest(none)"),
        ("/versions/9", MODEL, 404, f"Servable not found for request: Specific({MODEL}, 9)"),
        ("/labels/none", MODEL, 400, "Unrecognized servable version label: none"),
    ],
)
@pytest.mark.parametrize("method", ["predict", "classify", "regress"])
def test_a_version_that_is_not_there_is_not_asked(
    client: Client, method: str, which: str, model: str, status: int, expected: str
) -> None:
    body = {"instances": [1], "examples": [{}]}
    assert failed(client.ask(body, which=which, model=model, method=method), status) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "JSON Parse error: The document is empty"),
        (b"{", "JSON Parse error: "),
        (b"[]", "JSON Value: [] Is not object"),
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"instances": []}, "No values in 'instances' array"),
        ({"instances": 1}, "Expecting 'instances' to be an list/array"),
        ({"instances": ["a"], "inputs": ["a"]}, "expecting only one of 'inputs' or 'instances'"),
        ({"instances": [1]}, "JSON Value: 1 Type: Number is not of expected type: string"),
        ({"instances": ["a", {"x": "a"}]}, "Expecting value/list but got object at item 1"),
        ({"instances": [["a"], ["a", "b"]]}, "Expecting "),
        ({"instances": [{"b64": "?"}]}, "Unable to base64 decode"),
        ({"instances": ["no example"]}, "Could not parse example input"),
        ({"signature_name": 1, "instances": ["a"]}, "'signature_name' key must be a string value"),
        (
            {"signature_name": "none", "instances": ["a"]},
            'Serving signature name: "none" not found in signature def',
        ),
        (
            {"signature_name": "serving_raw", "instances": [1]},
            "instances is a plain list, but expecting list of objects as multiple input tensors",
        ),
        (
            {"signature_name": "serving_raw", "inputs": {"fare": [1]}},
            "Missing named input: ",
        ),
        (
            {"signature_name": "serving_raw", "instances": [{"fare": 1}]},
            "Failed to process element: 0 of 'instances' list. JSON object: ",
        ),
        (
            {"signature_name": "serving_raw", "instances": [{"nothing": 1}]},
            "JSON object: does not have named input: nothing",
        ),
    ],
)
def test_malformed_predictions_are_refused(client: Client, body: Any, expected: str) -> None:
    assert expected in failed(client.ask(body), 400)


@pytest.mark.parametrize(
    ("method", "body", "expected"),
    [
        ("classify", {}, "key 'examples' is expected and was not found"),
        ("regress", {"examples": 1}, "Expecting 'examples' value to be an list/array"),
        ("classify", {"examples": []}, "'examples' value is an empty array"),
        ("classify", {"examples": [1]}, "Example must be JSON object but got JSON Number"),
        ("classify", {"examples": [{}]}, "Expected one or two output Tensors, found 4"),
        ("regress", {"examples": [{}]}, "Expected one output Tensor."),
        ("classify", {"examples": [{"fare": [None]}]}, "unexpected JSON type: Null"),
        (
            "regress",
            {"signature_name": "classify", "examples": [{}]},
            "Expected one output Tensor.",
        ),
        (
            "classify",
            {"signature_name": "classify", "examples": [{"fare": "text"}]},
            "fare",
        ),
    ],
)
def test_malformed_examples_are_refused(
    client: Client, method: str, body: Any, expected: str
) -> None:
    assert expected in failed(client.ask(body, method=method), 400)


def test_shapes_that_the_model_does_not_take_are_refused(client: Client) -> None:
    assert failed(client.ask({"inputs": [[encoded(1.0)]]}), 400)
    row = raw(1) | {"speeds": 1.0}
    assert failed(client.ask({"signature_name": "serving_raw", "instances": [row]}), 400)
    assert failed(client.ask({"signature_name": "serving_raw", "inputs": raw(1)}), 400)


def test_metrics_are_where_tf_serving_has_them(serving: Path, client: Client) -> None:
    if client.kind == TENSORFLOW:
        pytest.skip("TF Serving's are switched on by a file of its own")
    client.ask({"instances": [encoded(None)]}, which="/labels/stable")
    text = client.get("/monitoring/prometheus/metrics").text
    assert text.splitlines()[0] == client.get("/metrics").text.splitlines()[0]
    counted = f'{{api="REST",code="OK",method="predict",model="{MODEL}",version="1"}}'
    assert f"waybill_requests_total{counted}" in text
    assert f'waybill_label{{label="stable",model="{MODEL}"}} 1.0' in text
    assert f'waybill_loaded{{model="{MODEL}",version="2"}} 1.0' in text


def test_names_in_a_path_are_unquoted(
    serving: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    shutil.copytree(serving / MODEL / "1", tmp_path / "a b" / "1")
    served_models.write_config(tmp_path, "a b", [1], {})
    with running(tmp_path) as server:
        client = Client(server)
        assert client.get("/v1/models/a%20b").status_code == 200
        assert client.ask({"instances": [encoded(None)]}, model="a%20b").status_code == 200

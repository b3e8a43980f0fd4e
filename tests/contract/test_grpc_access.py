"""Who is let in over gRPC, and how much: token, TLS, size; and a foreign client of the same API."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import ovmsclient
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from ovmsclient.tfs_compat.base.errors import ModelNotFoundError

from serving.protos import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from serving.tensor_protos import to_proto
from tests.contract import certificates, served_models
from tests.contract.served_models import MODEL, probability
from tests.contract.servers import KINDS, PROJECT, Server, running
from tests.contract.test_grpc_api import TIMEOUT_S, examples, model_spec

TOKEN = "t0ken-of-a-test"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return served_models.serving_folder(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("access")
    (folder / "token").write_text(f"{TOKEN}\n")
    certificates.write(folder)
    return folder


@pytest.fixture(scope="module")
def guarded(serving: Path, folder: Path) -> Iterator[Server]:
    flags = ("--token-file", str(folder / "token"), "--max-body-mb", "1")
    tls = ("--tls-cert", str(folder / "certificate.pem"), "--tls-key", str(folder / "key.pem"))
    with running(serving, *flags, *tls) as server:
        yield server


@pytest.fixture(scope="module")
def channel(guarded: Server, folder: Path) -> Iterator[grpc.Channel]:
    credentials = grpc.ssl_channel_credentials((folder / "certificate.pem").read_bytes())
    with grpc.secure_channel(guarded.grpc, credentials) as channel:
        yield channel


def status(channel: grpc.Channel, *metadata: tuple[str, str]) -> Any:
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    request = get_model_status_pb2.GetModelStatusRequest(model_spec=model_spec())
    return stub.GetModelStatus(request, TIMEOUT_S, metadata=metadata)


def test_who_shows_the_token_is_let_in(channel: grpc.Channel) -> None:
    assert len(status(channel, ("authorization", f"Bearer {TOKEN}")).model_version_status) == 2


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        [("authorization", "Bearer wrong")],
        [("authorization", TOKEN)],
        [("authorization", f"Bearer {TOKEN}"), ("authorization", "Bearer wrong")],
    ],
)
def test_nobody_else_is(channel: grpc.Channel, metadata: list[tuple[str, str]]) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        status(channel, *metadata)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert TOKEN not in caught.value.details()


def test_health_needs_no_token(channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    response = stub.Check(health_pb2.HealthCheckRequest(), TIMEOUT_S)
    assert response.status == health_pb2.HealthCheckResponse.SERVING


def test_a_client_without_tls_gets_nothing(guarded: Server) -> None:
    with grpc.insecure_channel(guarded.grpc) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            status(channel, ("authorization", f"Bearer {TOKEN}"))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_message_that_is_too_large_is_refused(channel: grpc.Channel) -> None:
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    request = predict_pb2.PredictRequest(model_spec=model_spec())
    request.inputs["examples"].CopyFrom(to_proto(np.array([bytes(2 << 20)], object)))
    token = [("authorization", f"Bearer {TOKEN}")]
    with pytest.raises(grpc.RpcError) as caught:
        stub.Predict(request, TIMEOUT_S, metadata=token)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert status(channel, *token).model_version_status


def test_the_client_shows_the_token_and_checks_the_certificate(
    guarded: Server, serving: Path, folder: Path
) -> None:
    access = ("--token-file", str(folder / "token"), "--ca", str(folder / "certificate.pem"))
    servers = ("--server", f"grpcs://{guarded.grpc}", "--server", guarded.rest)
    command = [sys.executable, "-m", "serving.client", "check", "--serving", str(serving)]
    found = subprocess.run(
        [*command, *servers, *access], cwd=PROJECT, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.count(": ok") == 10
    without_ca = subprocess.run(
        [*command, "--server", guarded.rest, *access[:2]],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert without_ca.returncode == 4
    assert "CERTIFICATE_VERIFY_FAILED" in without_ca.stderr
    assert TOKEN not in without_ca.stderr
    without_token = subprocess.run(
        [*command, *servers[:2], *access[2:]], cwd=PROJECT, capture_output=True, text=True
    )
    assert without_token.returncode == 5
    assert "UNAUTHENTICATED" in without_token.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_foreign_client_is_answered(serving: Path, kind: str) -> None:
    with running(serving, kind=kind) as server:
        client = ovmsclient.make_grpc_client(server.grpc)
        # It sends version 0 where none is named, which to TF Serving is version 0.
        found = client.get_model_status(model_name=MODEL, model_version=1)
        assert {number: state["state"] for number, state in found.items()} == {1: "AVAILABLE"}
        metadata = client.get_model_metadata(model_name=MODEL, model_version=1)
        assert metadata["inputs"]["examples"]["dtype"] == "DT_STRING"
        answer = client.predict(
            {"examples": list(examples([12.5, -40.0]))}, model_name=MODEL, model_version=1
        )
        assert answer["probability"][:, 0].tolist() == pytest.approx(
            [probability(12.5), probability(-40.0)]
        )
        with pytest.raises(ModelNotFoundError):
            client.predict({"examples": list(examples([1.0]))}, model_name=MODEL)

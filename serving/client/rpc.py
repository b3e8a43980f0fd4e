"""A server asked by gRPC, with TF Serving's own messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from serving import tensor_protos
from serving.client.connection import Access, Address, Answer, Connection, Target
from serving.client.errors import Busy, Refused, Unreachable, UsageError
from serving.client.signature import Arrays, Signature, from_proto
from serving.protos import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

_MAX_MESSAGE_BYTES = 1 << 30
_SIGNATURES = "signature_def"
_BUSY = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.ABORTED)
_SHOWN_CHARACTERS = 500


class RpcConnection(Connection):
    """One channel; see `Connection`."""

    def __init__(self, address: Address, access: Access) -> None:
        self._address = address
        self._timeout_s = access.timeout_s
        self._metadata = (("authorization", f"Bearer {access.token}"),) if access.token else ()
        options = [
            ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
            ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
            # A proxy has no business between a client and the server it names.
            ("grpc.enable_http_proxy", 0),
        ]
        if address.scheme == "grpcs":
            credentials = grpc.ssl_channel_credentials(_certificate(access))
            self._channel = grpc.aio.secure_channel(address.netloc, credentials, options)
        else:
            self._channel = grpc.aio.insecure_channel(address.netloc, options)
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._model = model_service_pb2_grpc.ModelServiceStub(self._channel)

    async def close(self) -> None:
        """See `Connection`."""
        await self._channel.close()

    async def signatures(self, target: Target) -> dict[str, Signature]:
        """See `Connection`."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=_spec(target), metadata_field=[_SIGNATURES]
        )
        response = await self._ask(self._prediction.GetModelMetadata, request)
        found = get_model_metadata_pb2.SignatureDefMap()
        response.metadata[_SIGNATURES].Unpack(found)
        return from_proto(found)

    async def states(self, target: Target) -> dict[int, str]:
        """See `Connection`."""
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=_spec(target))
        response = await self._ask(self._model.GetModelStatus, request)
        name_of = get_model_status_pb2.ModelVersionStatus.State.Name
        return {found.version: name_of(found.state) for found in response.model_version_status}

    async def predict(self, target: Target, signature: Signature, inputs: Arrays) -> Answer:
        """See `Connection`."""
        request = predict_pb2.PredictRequest(model_spec=_spec(target, signature.name))
        for name, array in inputs.items():
            request.inputs[name].CopyFrom(tensor_protos.to_proto(array, as_bytes=True))
        response = await self._ask(self._prediction.Predict, request)
        version = response.model_spec.version.value
        try:
            outputs = {
                name: tensor_protos.to_array(tensor) for name, tensor in response.outputs.items()
            }
        except ValueError as error:
            raise Refused(f"{self._address} answers a tensor that is none: {error}.") from error
        return Answer(outputs, str(version) if version else None)

    async def _ask(self, method: Callable[..., Awaitable[Any]], request: Any) -> Any:
        try:
            return await method(request, timeout=self._timeout_s, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise self._explained(error) from error

    def _explained(self, error: Any) -> Exception:
        code, details = error.code(), " ".join((error.details() or "").split())
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return Unreachable(
                f"{self._address} did not answer in {self._timeout_s:g} s. Is it loading a model? "
                "Give it longer with --timeout, or send fewer rows with --batch."
            )
        told = f"{self._address} answers {code.name}: {details[:_SHOWN_CHARACTERS]}"
        if code in _BUSY:
            return Busy(told)
        if code is grpc.StatusCode.UNAVAILABLE:
            # A channel without a connection says it with this code, and so does a busy server.
            if self._channel.get_state() is grpc.ChannelConnectivity.READY:
                return Busy(told)
            return Unreachable(
                f"No server answers at {self._address}: {details[:_SHOWN_CHARACTERS]}. Start it "
                "(python -m serving.server), or name another one with --server."
            )
        return Refused(told)


def _spec(target: Target, signature: str = "") -> Any:
    spec = model_pb2.ModelSpec(name=target.model, signature_name=signature)
    if target.version is not None:
        spec.version.value = target.version
    elif target.label:
        spec.version_label = target.label
    return spec


def _certificate(access: Access) -> bytes | None:
    if access.ca is None:
        return None
    try:
        return access.ca.read_bytes()
    except OSError as error:
        raise UsageError(f"--ca {access.ca} cannot be read: {error.strerror}.") from error

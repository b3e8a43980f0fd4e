"""`tensorflow.serving.ModelService`, on the engine."""

from __future__ import annotations

from typing import Any

from google.protobuf import text_format

from serving.protos import (
    error_codes_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
)
from serving.server.engine import Engine, RequestError
from serving.server.grpc_calls import answered, target_of


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """Tells and changes what is served; every method gets a message and a gRPC context."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @answered
    async def GetModelStatus(  # noqa: N802 (the service's name)
        self, request: Any, context: Any
    ) -> Any:
        """Tells the state of a version, or of all versions of a model."""
        statuses = self._engine.statuses(target_of(request))
        response = get_model_status_pb2.GetModelStatusResponse()
        # TF Serving tells the newest first.
        for status in reversed(statuses):
            found = response.model_version_status.add(version=status.version)
            found.state = get_model_status_pb2.ModelVersionStatus.State.Value(status.state)
            found.status.error_code = error_codes_pb2.Code.Value(status.code)
            found.status.error_message = status.message
        return response

    @answered
    async def HandleReloadConfigRequest(  # noqa: N802 (the service's name)
        self, request: Any, context: Any
    ) -> Any:
        """Serves what the request's configuration says, and answers when it is loaded."""
        if request.config.WhichOneof("config") != "model_config_list":
            raise RequestError(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only "
                "ModelConfigList is currently supported",
                "INVALID_ARGUMENT",
            )
        await self._engine.reload(text_format.MessageToString(request.config, as_utf8=True))
        response = model_management_pb2.ReloadConfigResponse()
        response.status.error_code = error_codes_pb2.OK
        return response

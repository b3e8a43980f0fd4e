"""The front for gRPC: TF Serving's services, and the standard one that tells the server's health.

    tensorflow.serving.PredictionService   Predict, Classify, Regress, MultiInference,
                                           GetModelMetadata
    tensorflow.serving.ModelService        GetModelStatus, HandleReloadConfigRequest
    grpc.health.v1.Health                  Check, Watch; needs no token

Status codes and messages are those of TF Serving, as far as they are about the request. A client's
deadline and its giving up reach the model's queue.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from serving.protos import model_service_pb2_grpc, prediction_service_pb2_grpc
from serving.server.engine import Engine
from serving.server.errors import SettingsError
from serving.server.grpc_access import TokenInterceptor
from serving.server.grpc_models import ModelService
from serving.server.grpc_prediction import PredictionService
from serving.server.settings import Tls

_LOOK_S = 0.5
_SERVICES = ("", "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService")


class GrpcServer:
    """A running server.

    Attributes:
        port: where it listens.
    """

    def __init__(self, server: Any, port: int, engine: Engine) -> None:
        self.port = port
        self._server = server
        self._engine = engine
        self._health = _Health(self._tell)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Answers from now on."""
        await self._tell()
        await self._server.start()
        self._looking = asyncio.ensure_future(self._look())

    async def stop(self, grace_s: float) -> None:
        """Takes no more requests, and returns when those under way are answered.

        Args:
            grace_s: how long they may take; then they are given up.
        """
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            await self._tell()

    async def _tell(self) -> None:
        statuses = health_pb2.HealthCheckResponse
        status = statuses.NOT_SERVING if self._engine.not_ready() else statuses.SERVING
        for service in _SERVICES:
            await self._health.set(service, status)


class _Health(health.aio.HealthServicer):
    """Looks when it is asked; who watches is told at the next look."""

    def __init__(self, look: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self._look = look

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        """As the service's definition names it."""
        await self._look()
        return await super().Check(request, context)


async def start(
    engine: Engine, *, host: str, port: int, token: str | None = None, tls: Tls | None = None
) -> GrpcServer:
    """Starts the front.

    Args:
        engine: what answers; it has been started.
        host: the address to bind to.
        port: 0 takes a free one.
        token: what a client has to send as `authorization: Bearer TOKEN`; None asks for none.
        tls: encrypts.

    Raises:
        SettingsError: the port is taken, or the certificate cannot be used.
    """
    server = grpc.aio.server(
        interceptors=[TokenInterceptor(token)] if token else [],
        options=[
            ("grpc.max_receive_message_length", engine.settings.max_body_bytes),
            ("grpc.max_send_message_length", -1),
            # A second server must not get half of the requests.
            ("grpc.so_reuseport", 0),
        ],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(engine), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(engine), server)
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        if tls is None:
            bound = server.add_insecure_port(address)
        else:
            bound = server.add_secure_port(address, _credentials(tls))
    except RuntimeError as error:
        raise SettingsError(
            f"gRPC cannot listen on {address}: the port is taken, the address is not this "
            "machine's, or the certificate and its key do not fit. Choose another one with "
            "--grpc-port."
        ) from error
    started = GrpcServer(server, bound, engine)
    await started.start()
    return started


def _credentials(tls: Tls) -> Any:
    try:
        pair = tls.key.read_bytes(), tls.certificate.read_bytes()
    except OSError as error:
        raise SettingsError(f"Cannot read {error.filename}: {error.strerror}.") from error
    return grpc.ssl_server_credentials([pair])

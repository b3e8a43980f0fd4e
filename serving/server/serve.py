"""Runs the engine and its fronts until the process is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.server import grpc_api
from serving.server.app import make_app
from serving.server.engine import Engine, say
from serving.server.errors import SettingsError
from serving.server.settings import ServerSettings, Tls

_KEEP_ALIVE_S = 75
_BACKLOG = 2048
# How long a thread that comes back from a model waits for one that reads requests.
_SWITCH_S = 0.0005


class _HttpServer(uvicorn.Server):
    """Leaves the signals to us: gRPC has to stop as well."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Protocol(HttpToolsProtocol):
    """Does not wait half a minute for an idle client to agree that TLS ends."""

    def shutdown(self) -> None:
        is_idle = self.cycle is None or self.cycle.response_complete
        super().shutdown()
        if is_idle and self.config.is_ssl:
            self.transport.abort()


async def serve(settings: ServerSettings) -> None:
    """Serves until SIGTERM or SIGINT; then answers what is under way, and returns.

    Raises:
        SettingsError: a port is taken, or a file cannot be used.
    """
    sys.setswitchinterval(_SWITCH_S)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, stop)
    engine = Engine(settings.engine)
    http = _HttpServer(_config(engine, settings))
    with _listen(settings.host, settings.rest_port) as listening:
        # Health is answered while models load; they are asked for only when they are there.
        starting = asyncio.ensure_future(engine.start())
        grpc = None
        if settings.grpc_port >= 0:
            grpc = await grpc_api.start(
                engine,
                host=settings.host,
                port=settings.grpc_port,
                token=settings.token,
                tls=settings.tls,
            )
        port = listening.getsockname()[1]
        answering = asyncio.ensure_future(http.serve([listening]))
        scheme = "https" if settings.tls else "http"
        say(f"REST and a page on {scheme}://{_authority(settings.host, port)}")
        if grpc is not None:
            say(f"gRPC on {_authority(settings.host, grpc.port)}")
        try:
            await _until_stopped(stop, starting, answering)
        finally:
            say("stopping: answering what is under way")
            engine.stopping()
            http.should_exit = True
            if grpc is not None:
                await grpc.stop(settings.stop_s)
            await answering
            await _stop_engine(engine, starting, settings.stop_s)
    say("stopped")


async def _until_stopped(
    stop: asyncio.Event, starting: asyncio.Future[None], answering: asyncio.Future[None]
) -> None:
    """Returns at the signal; raises what ends the start of the engine, or the HTTP server."""
    stopped = asyncio.ensure_future(stop.wait())
    waiting: set[asyncio.Future[object]] = {stopped, starting, answering}  # type: ignore[arg-type]
    while not stopped.done():
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for future in done - {stopped}:
            future.result()
            if future is answering:
                return


async def _stop_engine(engine: Engine, starting: asyncio.Future[None], limit_s: float) -> None:
    try:
        async with asyncio.timeout(limit_s):
            with contextlib.suppress(Exception):
                await asyncio.shield(starting)
            await engine.stop()
    except TimeoutError:
        say(f"a model did not finish within {limit_s:g} s; leaving it")
        sys.stderr.flush()
        # An interpreter that ends in order would wait for the model's thread.
        os._exit(1)


def _stop(stop: asyncio.Event) -> None:
    if stop.is_set():
        say("stopped at once: told so twice")
        sys.stderr.flush()
        signal.raise_signal(signal.SIGKILL)
    stop.set()


def _config(engine: Engine, settings: ServerSettings) -> uvicorn.Config:
    tls = settings.tls
    _check(tls)
    return uvicorn.Config(
        make_app(engine, token=settings.token),
        http=_Protocol,
        lifespan="off",
        ws="none",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=round(settings.stop_s),
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
    )


def _check(tls: Tls | None) -> None:
    """Finds out about a bad certificate before a model is loaded."""
    if tls is None:
        return
    import ssl

    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            tls.certificate, tls.key
        )
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"The certificate {tls.certificate} with the key {tls.key} cannot be used: {error}. "
            "Both have to be PEM, and to belong together."
        ) from error


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named, asyncio turns off Nagle's algorithm, which costs 40 ms an answer.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
        return listening
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"Cannot listen on {_authority(host, port)}: {error.strerror or error}. Choose another "
            "port with --rest-port, or another address with --host."
        ) from error


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

"""The worker pool of a host: starts a Python worker whenever the engine's worker asks for one.

Beam's own pool listens on every address of the host, starts whatever `python` is on the path, and
does not import tfx first.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType

import grpc
from apache_beam.portability.api import beam_fn_api_pb2 as messages
from apache_beam.portability.api import beam_fn_api_pb2_grpc as services
from apache_beam.utils import thread_pool_executor

PROJECT = Path(__file__).parents[2]
_STOP_S = 10.0


class WorkerPool(services.BeamFnExternalWorkerPoolServicer):
    """Starts and stops workers, each a process of this environment and this project."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By the connection that asked, too: each of the engine's workers counts its own from 1, so
        # two of them on one host give the same name twice.
        self._workers: dict[tuple[str, str], subprocess.Popen[bytes]] = {}

    def StartWorker(  # noqa: N802 (Beam's name)
        self, request: messages.StartWorkerRequest, context: grpc.ServicerContext
    ) -> messages.StartWorkerResponse:
        """Starts the worker that the request names and describes."""
        command = [
            sys.executable,
            "-m",
            "pipeline.beam.worker",
            f"--id={request.worker_id}",
            f"--control_endpoint={request.control_endpoint.url}",
            f"--logging_endpoint={request.logging_endpoint.url}",
            f"--artifact_endpoint={request.artifact_endpoint.url}",
            f"--provision_endpoint={request.provision_endpoint.url}",
        ]
        try:
            process = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.DEVNULL)
        except OSError as error:
            return messages.StartWorkerResponse(error=f"The worker did not start: {error}")
        with self._lock:
            self._workers = {key: one for key, one in self._workers.items() if one.poll() is None}
            self._workers[context.peer(), request.worker_id] = process
        print(f"worker {request.worker_id}: process {process.pid}", flush=True)
        return messages.StartWorkerResponse()

    def StopWorker(  # noqa: N802 (Beam's name)
        self, request: messages.StopWorkerRequest, context: grpc.ServicerContext
    ) -> messages.StopWorkerResponse:
        """Stops the worker that was asked for by this name and over the same connection.

        Any other ends by itself as soon as the engine lets go of it.
        """
        with self._lock:
            process = self._workers.pop((context.peer(), request.worker_id), None)
        if process is not None:
            _stop([process])
        return messages.StopWorkerResponse()

    def stop(self) -> None:
        """Stops all workers."""
        with self._lock:
            workers, self._workers = [*self._workers.values()], {}
        _stop(workers)


def _stop(workers: list[subprocess.Popen[bytes]]) -> None:
    """Asks all to end, then ends those that did not."""
    for process in workers:
        process.terminate()
    for process in workers:
        try:
            process.wait(timeout=_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def start(bind: str, port: int) -> tuple[grpc.Server, WorkerPool, int]:
    """Starts the pool's service.

    Args:
        bind: the address to listen on. Whoever reaches it can have code run: anything but
            127.0.0.1 belongs into a network of the cluster's own.
        port: 0 for any free one.

    Returns:
        The server, the pool, and the port.

    Raises:
        OSError: the port is taken.
    """
    server = grpc.server(
        thread_pool_executor.shared_unbounded_instance(),
        # Without it a second pool would quietly share the port of the first.
        options=[("grpc.so_reuseport", 0), ("grpc.http2.max_ping_strikes", 0)],
    )
    pool = WorkerPool()
    services.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    try:
        port = server.add_insecure_port(f"{bind}:{port}")
    except RuntimeError as error:
        raise OSError(f"cannot listen on {bind}:{port}") from error
    server.start()
    return server, pool, port


def serve(bind: str, port: int) -> None:
    """Runs the pool until SIGTERM or Ctrl-C; then its workers are stopped too.

    Raises:
        OSError: the port is taken.
    """
    ended = threading.Event()

    def end(signum: int, frame: FrameType | None) -> None:
        ended.set()

    server, pool, port = start(bind, port)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, end)
    print(f"worker pool on {bind}:{port}", flush=True)
    ended.wait()
    server.stop(grace=None)
    pool.stop()

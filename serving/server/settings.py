"""What the server can be told."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tls:
    """The files of a certificate and of its key, PEM."""

    certificate: Path
    key: Path


@dataclasses.dataclass(frozen=True, kw_only=True)
class LogSettings:
    """The log of requests.

    Attributes:
        folder: where; None writes none.
        sample: the share of requests that are written, 0 to 1.
        redact: columns whose values are left out.
        max_bytes: of a file; then the next one is begun.
        num_files: that are kept.
    """

    folder: Path | None = None
    sample: float = 1.0
    redact: tuple[str, ...] = ()
    max_bytes: int = 64 << 20
    num_files: int = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """What is served, and how much of it at once.

    Attributes:
        serving: the folder with a folder for each model.
        config: the `models.config`; the one in `serving` if None.
        models: `NAME=FOLDER`; if there are any, these are served and nothing else.
        poll_s: how often the disk is looked at; 0 is only at the start.
        canaries: `MODEL=LABEL:PERCENT` of the requests that name no version, by model.
        default_label: where the other requests go that name no version; the newest if None.
        max_batch_rows: of one call of a model; 1 makes no batches.
        batch_wait_s: how long a request may wait for company although a worker is free.
        num_workers: calls of models that run at once.
        num_threads: of each of TensorFlow's pools; 0 is one for each core.
        max_in_flight: requests under way; more are turned away.
        deadline_s: a request that takes longer is answered with an error.
        max_body_bytes: of a request.
        log: the log of requests.
    """

    serving: Path = Path("output/serving")
    config: Path | None = None
    models: tuple[str, ...] = ()
    poll_s: float = 1.0
    canaries: Mapping[str, str] = dataclasses.field(default_factory=dict)
    default_label: str | None = None
    max_batch_rows: int = 256
    batch_wait_s: float = 0.0
    num_workers: int = 2
    num_threads: int = 0
    max_in_flight: int = 1024
    deadline_s: float = 30.0
    max_body_bytes: int = 32 << 20
    log: LogSettings = LogSettings()


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Where the server listens, and to whom.

    Attributes:
        engine: what is served.
        host: the address to bind to.
        rest_port: of HTTP; 0 takes a free one.
        grpc_port: of gRPC; 0 takes a free one, -1 serves no gRPC.
        token: what a client has to show; None asks for none.
        tls: encrypts both.
        stop_s: how long requests may go on once the server was told to stop.
    """

    engine: EngineSettings = EngineSettings()
    host: str = "127.0.0.1"
    rest_port: int = 8501
    grpc_port: int = 8500
    token: str | None = dataclasses.field(default=None, repr=False)
    tls: Tls | None = None
    stop_s: float = 30.0

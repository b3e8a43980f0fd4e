"""The ML Metadata store that a pipeline writes to: how to connect to it, and how it is made."""

from __future__ import annotations

import socket
from typing import Any

import filelock
import ml_metadata
from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2

from components.errors import ConfigError
from pipeline import postgresql
from pipeline.config import PipelineConfig
from pipeline.layout import Layout
from pipeline.lineage import store
from pipeline.lineage.connection import PASSWORD, PASSWORD_FILE, Address, parse

_LOCK = ".metadata.lock"
_ANSWER_S = 5.0


def address_of(config: PipelineConfig, layout: Layout) -> Address:
    """The store that a configuration names, or the file in the root."""
    if config.metadata.uri is not None:
        return parse(config.metadata.uri)
    return Address(kind="sqlite", path=layout.metadata)


def connection(uri: str) -> Any:
    """What TFX and ML Metadata connect with, for reading and writing.

    Args:
        uri: as `pipeline.lineage.connection` describes it.

    Raises:
        ConfigError: it is no such address.
    """
    address = parse(uri)
    if address.kind == "grpc":
        return store.server_config(address)
    config = store.database_config(address, writable=True)
    if address.kind == "sqlite":
        mode = metadata_store_pb2.SqliteMetadataSourceConfig
        config.sqlite.connection_mode = mode.READWRITE_OPENCREATE
    return config


def prepare(uri: str) -> None:
    """Makes the tables of a store that has none; a store that has them is left as it is.

    ML Metadata makes them at the first connection, and two first connections at once break each
    other: so this is done before any nodes run side by side.

    Raises:
        ConfigError: there is no such database, or no right to it; or no server answers, which may
            pass.
    """
    address = parse(uri)
    try:
        if address.kind != "sqlite":
            ml_metadata.MetadataStore(connection(uri))
            if address.kind == "postgresql":
                postgresql.allow_long_texts(address)
            return
        address.path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(address.path.with_name(_LOCK)):
            ml_metadata.MetadataStore(connection(uri))
    except (RuntimeError, errors.StatusError, OSError) as error:
        raise _refused(address, error) from error


def _refused(address: Address, error: Exception) -> ConfigError:
    """Tells a server that is away from one that refuses: ML Metadata says no word about either."""
    if address.kind == "sqlite" or address.socket:
        return ConfigError(store.explain(address, error))
    try:
        socket.create_connection((address.host, address.port), timeout=_ANSWER_S).close()
    except OSError as away:
        reason = away.strerror or str(away)
        failure = ConfigError(
            f"{address}: no server answers at {address.host}:{address.port}: {reason}. "
            "Start it, or correct the address."
        )
        failure.is_transient = True
        return failure
    return ConfigError(
        f"{store.explain(address, error)} The server answers: is there the database "
        f"{address.database!r}, may {address.user!r} use it, and is the password in "
        f"{PASSWORD} or the file that {PASSWORD_FILE} names?"
    )

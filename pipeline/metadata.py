"""The ML Metadata store that a pipeline writes to: how to connect to it, and how it is made."""

from __future__ import annotations

from typing import Any

import filelock
import ml_metadata
from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2

from components.errors import ConfigError
from pipeline.config import PipelineConfig
from pipeline.layout import Layout
from pipeline.lineage import store
from pipeline.lineage.connection import Address, parse

_LOCK = ".metadata.lock"


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
        ConfigError: there is no server, or no such database, or no right to it.
    """
    address = parse(uri)
    try:
        if address.kind != "sqlite":
            ml_metadata.MetadataStore(connection(uri))
            return
        address.path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(address.path.with_name(_LOCK)):
            ml_metadata.MetadataStore(connection(uri))
    except (RuntimeError, errors.StatusError, OSError) as error:
        raise ConfigError(store.explain(address, error)) from error

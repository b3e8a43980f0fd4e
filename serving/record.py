"""Notes changes of labels in ML Metadata: the only module of serving that imports ml_metadata.

Each is an execution of the type `waybill.LabelChange`, in the pipeline's context, whose input is
the pushed model that the label points to since. The store is an addition: what a server does is
said by `models.config`, so a label is moved also when the store cannot be reached.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import urllib.parse
from pathlib import Path
from typing import Any

from serving.errors import ServingError
from serving.history import Change
from serving.manifests import Manifest

EXECUTION_TYPE = "waybill.LabelChange"
PASSWORD = "WAYBILL_METADATA_PASSWORD"
PASSWORD_FILE = "WAYBILL_METADATA_PASSWORD_FILE"
INPUT = "pushed_model"
# What a manifest calls the run that pushed it, and the store that knows the run.
RUN, STORE = "run", "metadata"

_TEXTS = ("model", "label", "action", "reason", "user", "host")
_NUMBERS = ("from_version", "to_version")
_PASSWORD = re.compile(r":[^:/@]*@")
_BUSY_S = 2.0
_CALL_S = 5.0


class RecordError(ServingError):
    """A change was made, but the metadata store does not know of it."""


def record(
    change: Change,
    *,
    store: str,
    pushed: Manifest | None = None,
    pushed_artifact: int | None = None,
) -> int:
    """Writes a change into the store.

    Args:
        change: what was changed.
        store: a SQLite file, or mysql://, postgresql:// or grpc://USER@HOST:PORT/DATABASE.
        pushed: the version that the label points to now; tells which artifact that is.
        pushed_artifact: the id of that artifact, where it is known.

    Returns:
        The id of the execution.

    Raises:
        RecordError: the store is not there, cannot be reached, or is held by someone else.
    """
    from google.protobuf.message import Error as ProtobufError
    from ml_metadata import errors

    try:
        return _write(_connect(store), change, pushed, pushed_artifact)
    except (errors.StatusError, RuntimeError, ProtobufError, sqlite3.Error, OSError) as error:
        reason = str(error).partition(" query: ")[0].splitlines()
        raise RecordError(
            f"The change is made, but not in the metadata store {_PASSWORD.sub('@', store)}: "
            f"{reason[0] if reason else type(error).__name__}. Name the store with --metadata; "
            "the model's .history.jsonl has the change in any case."
        ) from error


def _write(store: Any, change: Change, pushed: Manifest | None, pushed_artifact: int | None) -> int:
    from ml_metadata.proto import metadata_store_pb2 as messages

    kind = messages.ExecutionType(name=EXECUTION_TYPE)
    for name in _TEXTS:
        kind.properties[name] = messages.STRING
    for name in _NUMBERS:
        kind.properties[name] = messages.INT
    execution = messages.Execution(
        type_id=store.put_execution_type(kind, can_add_fields=True),
        last_known_state=messages.Execution.COMPLETE,
    )
    for name in _TEXTS:
        execution.properties[name].string_value = getattr(change, name)
    for name in _NUMBERS:
        if getattr(change, name) is not None:
            execution.properties[name].int_value = getattr(change, name)
    artifact = _artifact(store, change, pushed, pushed_artifact)
    contexts = [context for context in (_pipeline(store, change, artifact),) if context is not None]
    inputs = []
    if artifact is not None:
        event = messages.Event(type=messages.Event.INPUT)
        event.path.steps.add(key=INPUT)
        event.path.steps.add(index=0)
        inputs.append((artifact, event))
    execution_id, _, _ = store.put_execution(execution, inputs, contexts)
    return int(execution_id)


def _artifact(
    store: Any, change: Change, pushed: Manifest | None, pushed_artifact: int | None
) -> Any | None:
    """The PushedModel of the version that the label points to now."""
    if pushed_artifact is not None:
        found = store.get_artifacts_by_id([pushed_artifact])
        return found[0] if found else None
    run = pushed.properties.get(RUN) if pushed is not None else None
    context = store.get_context_by_type_and_name("pipeline_run", run) if run else None
    if context is None:
        return None
    return next(
        (
            artifact
            for artifact in store.get_artifacts_by_context(context.id)
            if artifact.custom_properties["pushed_version"].string_value == str(change.to_version)
        ),
        None,
    )


def _pipeline(store: Any, change: Change, artifact: Any | None) -> Any | None:
    """The context of the pipeline that pushed the model; it has the model's name as a rule."""
    if artifact is not None:
        [kind] = [kind for kind in store.get_context_types() if kind.name == "pipeline"]
        for context in store.get_contexts_by_artifact(artifact.id):
            if context.type_id == kind.id:
                return context
    return store.get_context_by_type_and_name("pipeline", change.model)


def _connect(store: str) -> Any:
    import ml_metadata
    from ml_metadata.proto import metadata_store_pb2 as messages

    if "://" not in store:
        return ml_metadata.MetadataStore(_sqlite(Path(store)))
    parts = urllib.parse.urlsplit(store)
    config = messages.ConnectionConfig()
    host, port, database = parts.hostname or "", parts.port or 0, parts.path.lstrip("/")
    user = urllib.parse.unquote(parts.username or "")
    if parts.password:
        raise RuntimeError(f"its password belongs into the environment, as {PASSWORD}")
    if parts.scheme == "grpc":
        client = messages.MetadataStoreClientConfig(host=host, port=port or 8080)
        client.client_timeout_sec = _CALL_S
        return ml_metadata.MetadataStore(client)
    if parts.scheme == "mysql":
        config.mysql.host, config.mysql.port = host, port or 3306
        config.mysql.database, config.mysql.user = database, user
        config.mysql.password = _password()
        config.mysql.skip_db_creation = True
        config.mysql.socket = urllib.parse.parse_qs(parts.query).get("socket", [""])[0]
    elif parts.scheme == "postgresql":
        config.postgresql.host, config.postgresql.port = host, str(port or 5432)
        config.postgresql.dbname, config.postgresql.user = database, user
        config.postgresql.password = _password()
        config.postgresql.skip_db_creation = True
    else:
        raise RuntimeError(
            f"{parts.scheme}:// is not known; expected a file, mysql://, postgresql:// or grpc://"
        )
    return ml_metadata.MetadataStore(config)


def _sqlite(path: Path) -> Any:
    """Connects to a file that is there; MLMD would make one, and wait for minutes on a lock."""
    from ml_metadata.proto import metadata_store_pb2 as messages

    if not path.is_file() or not path.stat().st_size:
        raise FileNotFoundError(f"there is no such file as {path}")
    with contextlib.closing(
        sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_BUSY_S)
    ) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.rollback()
    config = messages.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = messages.SqliteMetadataSourceConfig.READWRITE
    return config


def _password() -> str:
    file = os.environ.get(PASSWORD_FILE)
    if PASSWORD in os.environ or not file:
        return os.environ.get(PASSWORD, "")
    return Path(file).read_text(encoding="utf-8").rstrip("\r\n")

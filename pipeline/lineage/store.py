"""Reads a metadata store of TFX, ours or another's; opens it for the few that write.

The only part of lineage that imports ml_metadata, and what it calls is in 1.17 as in 1.21: no
`filter_query`, which 1.21 has dropped. Everything is found by number, by name, or along events and
contexts; lists are read backwards by ranges of numbers, since its pages cannot be asked for one by
one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_metadata
from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2

from components.errors import ConfigError
from pipeline.lineage import backslashes, connection, ordering, placing, records
from pipeline.lineage.connection import Address, explain
from pipeline.lineage.models import Artifact, Edge, Execution, Run, channels

_MAX_EXECUTIONS = 200
# Ids in one call: a database's limit of a statement, and a server's of an answer, are further off.
_BATCH = 1_000
_FIRST_PAGE = 64
# ML Metadata waits about two seconds between retries.
_RETRIES = 3
_GRPC_TIMEOUT_S = 60
_MAX_MESSAGE_BYTES = 2**31 - 1


def open_store(
    where: Path | Address, *, writable: bool = False
) -> ml_metadata.MetadataStore | None:
    """Connects to a store; None where it is a file that is not there yet.

    Args:
        where: an address, or the path of a SQLite file.
        writable: whether anything will be written.

    Raises:
        ConfigError: it is no metadata store, or cannot be read.
    """
    address = where if isinstance(where, Address) else _file(where)
    if address.kind == "sqlite" and not (address.path.is_file() and address.path.stat().st_size):
        return None
    return _connect(address, writable=writable)


class LineageStore:
    """A read-only view of a store: a `pipeline.lineage.reader.Reader`; all methods read anew."""

    def __init__(self, where: Path | Address) -> None:
        """Opens the store.

        Args:
            where: an address; or a SQLite file, which is empty history where it does not exist.

        Raises:
            ConfigError: there is no store, or it cannot be read.
        """
        self._address = where if isinstance(where, Address) else _file(where)
        if isinstance(where, Address):
            self._store = _connect(where)
        else:
            self._store = open_store(where)
        if self._store is not None:
            self._artifact_types = _names(self._ask("get_artifact_types"))
            self._execution_types = _names(self._ask("get_execution_types"))
            self._context_types = _names(self._ask("get_context_types"))

    def executions(self, pipeline: str, node: str) -> list[Execution]:
        """The latest executions of a node with their artifacts, newest first, at most 200."""
        if self._store is None:
            return []
        context = self._ask("get_context_by_type_and_name", "node", f"{pipeline}.{node}")
        if context is None:
            return []
        options = ml_metadata.ListOptions(
            limit=_MAX_EXECUTIONS,
            order_by=ml_metadata.OrderByField.ID,
            is_asc=False,
        )
        found = self._ask("get_executions_by_context", context.id, list_options=options)
        edges: dict[int, list[Edge]] = defaultdict(list)
        for edge in self.edges_of_executions(item.id for item in found):
            edges[edge.execution].append(edge)
        wanted = {edge.artifact for of_one in edges.values() for edge in of_one}
        artifacts = self.artifacts_by_id(wanted)
        return [
            replace(
                records.execution(item, self._execution_types),
                node=node,
                pipeline=pipeline,
                run=_run_id(item),
                inputs=channels(edges[item.id], artifacts, is_output=False),
                outputs=channels(edges[item.id], artifacts, is_output=True),
            )
            for item in sorted(found, key=lambda item: item.id, reverse=True)
        ]

    def artifacts_by_id(self, ids: Iterable[int]) -> dict[int, Artifact]:
        """See `Reader`."""
        return {
            item.id: records.artifact(item, self._artifact_types)
            for batch in _batches(ids)
            for item in self._ask("get_artifacts_by_id", batch)
        }

    def artifacts_at(self, uri: str) -> list[Artifact]:
        """See `Reader`."""
        found = [
            records.artifact(item, self._artifact_types)
            for item in self._ask("get_artifacts_by_uri", uri)
        ]
        return sorted(found, key=lambda item: item.id)

    def executions_by_id(self, ids: Iterable[int]) -> dict[int, Execution]:
        """See `Reader`."""
        return {
            item.id: records.execution(item, self._execution_types)
            for batch in _batches(ids)
            for item in self._ask("get_executions_by_id", batch)
        }

    def executions_of_type(self, name: str) -> list[Execution]:
        """See `Reader`."""
        return self._converted(self._ask("get_executions_by_type", name))

    def execution_types(self) -> list[str]:
        """See `Reader`."""
        return list(self._execution_types.values())

    def edges_of_executions(self, ids: Iterable[int]) -> list[Edge]:
        """See `Reader`."""
        return self._edges("get_events_by_execution_ids", ids)

    def edges_of_artifacts(self, ids: Iterable[int]) -> list[Edge]:
        """See `Reader`."""
        return self._edges("get_events_by_artifact_ids", ids)

    def run(self, name: str) -> Run | None:
        """See `Reader`."""
        for kind in set(records.RUN_TYPES) & set(self._context_types.values()):
            context = self._ask("get_context_by_type_and_name", kind, name)
            if context is not None:
                return self._run(context)
        return None

    def runs(self) -> Iterator[Run]:
        """See `Reader`."""
        for context in self._newest("contexts"):
            if self._context_types.get(context.type_id) in records.RUN_TYPES:
                yield self._run(context)

    def executions_of_run(self, run: Run) -> list[Execution]:
        """See `Reader`."""
        found = self._converted(self._ask("get_executions_by_context", run.context))
        return [replace(item, run=run.id, pipeline=run.pipeline) for item in found]

    def newest_artifacts(self) -> Iterator[Artifact]:
        """See `Reader`."""
        for item in self._newest("artifacts"):
            yield records.artifact(item, self._artifact_types)

    def newest_executions(self) -> Iterator[Execution]:
        """See `Reader`."""
        for item in self._newest("executions"):
            yield records.execution(item, self._execution_types)

    def placed(self, executions: Iterable[Execution]) -> dict[int, Execution]:
        """See `Reader`."""
        return placing.placed(self, executions, self._place)

    def _place(self, item: Execution) -> tuple[Execution, Run | None]:
        """An execution with its node, run and pipeline, and the run without its pipeline's own."""
        names: dict[str, Any] = {}
        for context in self._ask("get_contexts_by_execution", item.id):
            kind = self._context_types.get(context.type_id, "")
            for place in (records.RUN_TYPES, records.PIPELINE_TYPES, records.NODE_TYPES):
                if kind in place:
                    names[place[0]] = context
        pipeline, run, node = (
            names[place[0]].name if place[0] in names else ""
            for place in (records.PIPELINE_TYPES, records.RUN_TYPES, records.NODE_TYPES)
        )
        node = records.node_name(node, pipeline, run) or item.node
        placed = replace(item, pipeline=pipeline, run=run, node=node)
        if not run:
            return placed, None
        context = names[records.RUN_TYPES[0]]
        return placed, _run(context, pipeline)

    def _run(self, context: Any) -> Run:
        for parent in self._ask("get_parent_contexts_by_context", context.id):
            if self._context_types.get(parent.type_id) in records.PIPELINE_TYPES:
                return _run(context, parent.name)
        return _run(context, "")

    def _converted(self, items: Iterable[Any]) -> list[Execution]:
        found = [records.execution(item, self._execution_types) for item in items]
        return sorted(found, key=lambda item: item.id)

    def _edges(self, method: str, ids: Iterable[int]) -> list[Edge]:
        return [
            records.edge(event) for batch in _batches(ids) for event in self._ask(method, batch)
        ]

    def _newest(self, kind: str) -> Iterator[Any]:
        """All artifacts, executions or contexts, newest first, by ever larger ranges of ids."""
        newest = ml_metadata.ListOptions(
            limit=1, order_by=ml_metadata.OrderByField.ID, is_asc=False
        )
        for last in self._ask(f"get_{kind}", list_options=newest):
            end, size = last.id, _FIRST_PAGE
            while end > 0:
                start = max(1, end - size + 1)
                found = self._ask(f"get_{kind}_by_id", range(start, end + 1))
                yield from sorted(found, key=lambda item: item.id, reverse=True)
                end, size = start - 1, min(2 * size, _BATCH)

    def _ask(self, method: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return getattr(self._store, method)(*args, **kwargs)
        except errors.StatusError as error:
            raise ConfigError(explain(self._address, error)) from error


def _connect(address: Address, *, writable: bool = False) -> ml_metadata.MetadataStore:
    if address.kind == "sqlite" and not address.path.is_file():
        raise ConfigError(
            f"{address.path}: there is no metadata store. Run the pipeline first, or name another "
            "--store."
        )
    try:
        if address.kind == "grpc":
            return ml_metadata.MetadataStore(server_config(address))
        return ml_metadata.MetadataStore(database_config(address, writable=writable))
    except (RuntimeError, errors.StatusError) as error:
        raise ConfigError(explain(address, error)) from error


def server_config(address: Address) -> Any:
    """How ML Metadata's client connects to its server."""
    config = metadata_store_pb2.MetadataStoreClientConfig(host=address.host, port=address.port)
    config.client_timeout_sec = _GRPC_TIMEOUT_S
    config.channel_arguments.max_receive_message_length = _MAX_MESSAGE_BYTES
    return config


def database_config(address: Address, *, writable: bool) -> Any:
    """How ML Metadata connects to a file or a database, which must be there."""
    ordering.install()
    config = metadata_store_pb2.ConnectionConfig()
    config.retry_options.max_num_retries = _RETRIES
    if address.kind == "sqlite":
        mode = metadata_store_pb2.SqliteMetadataSourceConfig
        config.sqlite.filename_uri = str(address.path)
        config.sqlite.connection_mode = mode.READWRITE if writable else mode.READONLY
        return config
    if address.kind == "postgresql":
        backslashes.install()
    database = config.mysql if address.kind == "mysql" else config.postgresql
    database.user = address.user
    database.skip_db_creation = True
    if secret := connection.password():
        database.password = secret
    if address.kind == "mysql":
        config.mysql.database = address.database
    else:
        config.postgresql.dbname = address.database
    if address.socket:
        config.mysql.socket = address.socket
        return config
    database.host = address.host
    # ML Metadata has the port of the one as a number, of the other as text.
    database.port = address.port if address.kind == "mysql" else str(address.port)
    return config


def _file(path: Path) -> Address:
    return Address(kind="sqlite", path=path)


def _run(context: Any, pipeline: str) -> Run:
    return Run(
        pipeline=pipeline,
        id=context.name,
        context=context.id,
        started_ms=context.create_time_since_epoch,
        properties=records.properties(context),
    )


def _run_id(item: Any) -> str:
    return str(records.properties(item).get("pipeline_run_id", ""))


def _names(types: Iterable[Any]) -> dict[int, str]:
    return {item.id: item.name for item in types}


def _batches(ids: Iterable[int]) -> Iterator[Sequence[int]]:
    ordered = sorted(set(ids))
    for start in range(0, len(ordered), _BATCH):
        yield ordered[start : start + _BATCH]

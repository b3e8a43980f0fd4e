"""Reads a TFX metadata store; opens it for the few that write.

Events are walked in batches of ids; `filter_query` is not used, since ml-metadata 1.21 has none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import ml_metadata
from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2

from components.errors import ConfigError
from pipeline.lineage.models import Artifact, Execution, Value

_Event = metadata_store_pb2.Event
_STATES = metadata_store_pb2.Execution.State
_MAX_EXECUTIONS = 200


def open_store(database: Path, *, writable: bool = False) -> ml_metadata.MetadataStore | None:
    """Connects to the store in a SQLite file; None where there is none yet.

    Raises:
        ConfigError: the file is no metadata store, or cannot be read.
    """
    if not database.is_file() or not database.stat().st_size:
        return None
    mode = metadata_store_pb2.SqliteMetadataSourceConfig
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(database)
    config.sqlite.connection_mode = mode.READWRITE if writable else mode.READONLY
    try:
        return ml_metadata.MetadataStore(config)
    except (RuntimeError, errors.StatusError) as error:
        reason = str(error).partition(" query: ")[0]
        raise ConfigError(
            f"{database} is not a metadata store: {reason}. Move it away, or use another --root."
        ) from error


class LineageStore:
    """A read-only view of the store in a SQLite file; all methods read anew."""

    def __init__(self, database: Path) -> None:
        """Opens the store.

        Args:
            database: the SQLite file; where there is none, the history is empty.

        Raises:
            ConfigError: the file is no metadata store.
        """
        self._store = open_store(database)
        if self._store is not None:
            self._types = {kind.id: kind.name for kind in self._store.get_artifact_types()}

    def executions(self, pipeline: str, node: str) -> list[Execution]:
        """The latest executions of a node, newest first, at most 200."""
        if self._store is None:
            return []
        context = self._store.get_context_by_type_and_name("node", f"{pipeline}.{node}")
        if context is None:
            return []
        options = ml_metadata.ListOptions(
            limit=_MAX_EXECUTIONS,
            order_by=ml_metadata.OrderByField.ID,
            is_asc=False,
        )
        found = self._store.get_executions_by_context(context.id, list_options=options)
        return self._with_artifacts(node, sorted(found, key=lambda item: item.id, reverse=True))

    def _with_artifacts(self, node: str, found: Sequence[Any]) -> list[Execution]:
        assert self._store is not None
        if not found:
            return []
        events = self._store.get_events_by_execution_ids([item.id for item in found])
        artifacts = self._artifacts({event.artifact_id for event in events})
        channels: dict[tuple[int, bool], dict[str, list[Artifact]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for event in events:
            is_output = event.type in (_Event.OUTPUT, _Event.DECLARED_OUTPUT)
            key = event.path.steps[0].key if event.path.steps else ""
            artifact = artifacts.get(event.artifact_id)
            if artifact is not None:
                channels[event.execution_id, is_output][key].append(artifact)
        return [
            Execution(
                id=item.id,
                node=node,
                state=_STATES.Name(item.last_known_state),
                run=_text(item, "pipeline_run_id"),
                started_ms=item.create_time_since_epoch,
                updated_ms=item.last_update_time_since_epoch,
                properties=_properties(item),
                inputs={k: tuple(v) for k, v in channels[item.id, False].items()},
                outputs={k: tuple(v) for k, v in channels[item.id, True].items()},
            )
            for item in found
        ]

    def _artifacts(self, ids: Iterable[int]) -> dict[int, Artifact]:
        assert self._store is not None
        return {
            item.id: self._artifact(item) for item in self._store.get_artifacts_by_id(sorted(ids))
        }

    def _artifact(self, item: Any) -> Artifact:
        return Artifact(
            id=item.id,
            type=self._types.get(item.type_id, ""),
            uri=item.uri,
            live=item.state == metadata_store_pb2.Artifact.LIVE,
            properties=_properties(item),
        )


def _properties(item: Any) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for source in (item.properties, item.custom_properties):
        for name, value in source.items():
            kind = value.WhichOneof("value")
            if kind in ("int_value", "double_value", "string_value", "bool_value"):
                values[name] = getattr(value, kind)
    return values


def _text(item: Any, name: str) -> str:
    value = item.custom_properties.get(name) or item.properties.get(name)
    return value.string_value if value is not None else ""

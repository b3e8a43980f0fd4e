"""Clears up after a run that was killed, so that nothing of it is ever used.

Called with the root's lock held: then no execution that the store calls running is alive.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2

from pipeline.lineage.store import open_store

STOPPED = "stopped"
_State = metadata_store_pb2.Execution
_UNFINISHED = (_State.NEW, _State.RUNNING)


def close_unfinished(database: Path, artifacts: Path, reason: str) -> list[str]:
    """Marks every unfinished execution as canceled and removes what it had begun to write.

    Args:
        database: the SQLite file of the metadata store.
        artifacts: the folder of the artifacts, `<pipeline>/<node>/<key>/<execution id>` inside.
        reason: recorded on each execution, as the property `stopped`.

    Raises:
        ConfigError: the file is no metadata store.

    Returns:
        The names of the executions' types, such as `Trainer`.
    """
    store = open_store(database, writable=True)
    if store is None:
        return []
    unfinished = [
        execution
        for execution in store.get_executions()
        if execution.last_known_state in _UNFINISHED
    ]
    types = {kind.id: kind.name.rsplit(".", 1)[-1] for kind in store.get_execution_types()}
    for execution in unfinished:
        _remove_outputs(artifacts, str(execution.id))
        execution.last_known_state = _State.CANCELED
        execution.custom_properties[STOPPED].string_value = reason
    if unfinished:
        store.put_executions(unfinished)
    return [types.get(execution.type_id, "?") for execution in unfinished]


def _remove_outputs(artifacts: Path, execution_id: str) -> None:
    """Removes `<pipeline>/<node>/<key>/<id>`, and TFX's own files of that execution."""
    for pattern in ("*/*/*/", "*/*/.system/*/"):
        for folder in artifacts.glob(f"{pattern}{execution_id}"):
            shutil.rmtree(folder, ignore_errors=True)

"""Clears up after a run that was killed, so that nothing of it is ever used.

Called with the root's lock held: then no execution that this command began in this root is alive,
whatever the store calls it. What other commands, or other roots of a shared store, run is left.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ml_metadata.proto import metadata_store_pb2

from pipeline.layout import Layout
from pipeline.lineage.connection import Address
from pipeline.lineage.store import open_store
from pipeline.recording import names
from pipeline.recording.recorder import RUN, record_outcome

STOPPED = "stopped"
# The runner whose unfinished executions are closed.
LOCAL = "run_local"
_State = metadata_store_pb2.Execution
_UNFINISHED = (_State.NEW, _State.RUNNING)


def close_unfinished(where: Path | Address, layout: Layout, reason: str) -> list[str]:
    """Marks unfinished executions as canceled and removes what they had begun to write.

    Args:
        where: the metadata store.
        layout: of the root; its artifacts are `<pipeline>/<node>/<key>/<execution id>`.
        reason: recorded on each execution, as the properties `stopped` and `waybill_error`.

    Raises:
        ConfigError: there is something that is no metadata store.

    Returns:
        The names of the executions' types, such as `Trainer`.
    """
    store = open_store(where, writable=True)
    if store is None:
        return []
    unfinished = [
        execution
        for execution in store.get_executions()
        if execution.last_known_state in _UNFINISHED and _is_ours(store, execution, layout.root)
    ]
    types = {kind.id: kind.name.rsplit(".", 1)[-1] for kind in store.get_execution_types()}
    for execution in unfinished:
        _remove_outputs(layout.artifacts, str(execution.id))
        execution.last_known_state = _State.CANCELED
        execution.custom_properties[STOPPED].string_value = reason
        execution.custom_properties[names.ERROR].string_value = reason
    if unfinished:
        store.put_executions(unfinished)
        _end_runs(store, unfinished, reason)
    return [types.get(execution.type_id, "?") for execution in unfinished]


def _is_ours(store: Any, execution: Any, root: Path) -> bool:
    """Whether the execution is of a run of this command in this root, as far as is recorded."""
    for context in store.get_contexts_by_execution(execution.id):
        if context.type == RUN:
            known = context.custom_properties
            runner = known[names.RUNNER].string_value if names.RUNNER in known else LOCAL
            where = known[names.ROOT].string_value if names.ROOT in known else str(root)
            return runner == LOCAL and where == str(root)
    return True


def _end_runs(store: Any, unfinished: Iterable[Any], reason: str) -> None:
    """Writes down that the runs of these executions ended; what they say of themselves stays."""
    runs = {
        context.name: context
        for execution in unfinished
        for context in store.get_contexts_by_execution(execution.id)
        if context.type == RUN
    }
    for name, context in runs.items():
        if names.OUTCOME not in context.custom_properties:
            record_outcome(lambda: store, name, exit_code=None, kind="killed", reason=reason)


def _remove_outputs(artifacts: Path, execution_id: str) -> None:
    """Removes `<pipeline>/<node>/<key>/<id>`, and TFX's own files of that execution."""
    for pattern in ("*/*/*/", "*/*/.system/*/"):
        for folder in artifacts.glob(f"{pattern}{execution_id}"):
            shutil.rmtree(folder, ignore_errors=True)

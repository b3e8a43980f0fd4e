"""A store that a killed process left behind is put in order."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import ml_metadata
import pytest
from ml_metadata.proto import metadata_store_pb2

from components.errors import ConfigError
from pipeline import recovery
from pipeline.layout import Layout
from pipeline.lineage.store import LineageStore

_Execution = metadata_store_pb2.Execution


@pytest.fixture
def store(tmp_path: Path) -> ml_metadata.MetadataStore:
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(tmp_path / "metadata.db")
    config.sqlite.connection_mode = (
        metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    )
    return ml_metadata.MetadataStore(config)


def put(store: ml_metadata.MetadataStore, state: int) -> int:
    kind = metadata_store_pb2.ExecutionType(name="tfx.components.trainer.component.Trainer")
    context = metadata_store_pb2.ContextType(name="node")
    node = metadata_store_pb2.Context(type_id=store.put_context_type(context), name="taxi.Trainer")
    known = store.get_context_by_type_and_name("node", "taxi.Trainer")
    execution = _Execution(type_id=store.put_execution_type(kind), last_known_state=state)
    identity, _, _ = store.put_execution(execution, [], [known or node])
    return identity


def test_unfinished_executions_are_canceled_and_their_outputs_removed(
    store: ml_metadata.MetadataStore, tmp_path: Path
) -> None:
    running, done = put(store, _Execution.RUNNING), put(store, _Execution.COMPLETE)
    folders = {
        identity: tmp_path / "artifacts" / "taxi" / "Trainer" / "model" / str(identity)
        for identity in (running, done)
    }
    for folder in folders.values():
        (folder / "Format-Serving").mkdir(parents=True)

    assert recovery.close_unfinished(
        tmp_path / "metadata.db", Layout(tmp_path), "the process was killed"
    ) == ["Trainer"]

    assert not folders[running].exists()
    assert folders[done].exists()
    found = LineageStore(tmp_path / "metadata.db").executions("taxi", "Trainer")
    assert [(item.id, item.state) for item in found] == [
        (done, "COMPLETE"),
        (running, "CANCELED"),
    ]
    assert found[1].properties["stopped"] == "the process was killed"


def test_a_store_without_unfinished_executions_is_left_alone(
    store: ml_metadata.MetadataStore, tmp_path: Path
) -> None:
    put(store, _Execution.FAILED)
    assert recovery.close_unfinished(tmp_path / "metadata.db", Layout(tmp_path), "killed") == []


def test_where_there_is_no_store_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert recovery.close_unfinished(tmp_path / "metadata.db", Layout(tmp_path), "killed") == []
    assert not (tmp_path / "metadata.db").exists()
    assert LineageStore(tmp_path / "metadata.db").executions("taxi", "Trainer") == []


def test_a_file_that_is_no_store_is_named_with_the_fix(tmp_path: Path) -> None:
    database = tmp_path / "metadata.db"
    database.write_bytes(b"no database" * 500)
    with pytest.raises(ConfigError, match=r"metadata\.db is not a metadata store.*Move it away"):
        LineageStore(database)
    with pytest.raises(ConfigError, match="Move it away"):
        recovery.close_unfinished(database, Layout(tmp_path), "killed")


def test_a_store_that_was_killed_while_it_was_made_is_made(tmp_path: Path) -> None:
    database = tmp_path / "metadata.db"
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    assert recovery.close_unfinished(database, Layout(tmp_path), "killed") == []
    assert LineageStore(database).executions("taxi", "Trainer") == []


@pytest.mark.parametrize(
    ("runner", "root", "is_closed"),
    [("run_local", "{tmp}", True), ("run_node", "{tmp}", False), ("run_local", "/other", False)],
)
def test_only_what_this_command_began_in_this_root_is_closed(
    store: ml_metadata.MetadataStore, tmp_path: Path, runner: str, root: str, is_closed: bool
) -> None:
    running = put(store, _Execution.RUNNING)
    kind = store.put_context_type(metadata_store_pb2.ContextType(name="pipeline_run"))
    run = metadata_store_pb2.Context(type_id=kind, name="taxi-1")
    run.custom_properties["waybill_runner"].string_value = runner
    run.custom_properties["waybill_root"].string_value = root.format(tmp=tmp_path)
    [context] = store.put_contexts([run])
    association = metadata_store_pb2.Association(context_id=context, execution_id=running)
    store.put_attributions_and_associations([], [association])

    recovery.close_unfinished(tmp_path / "metadata.db", Layout(tmp_path), "killed")

    [execution] = store.get_executions_by_id([running])
    assert (execution.last_known_state == _Execution.CANCELED) is is_closed

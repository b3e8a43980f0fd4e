"""Changes of labels in ML Metadata."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import ml_metadata
import pytest
from ml_metadata.proto import metadata_store_pb2 as messages

from serving import history, record
from serving.history import Change
from serving.manifests import Manifest
from serving.record import EXECUTION_TYPE, RecordError

CHANGE = history.change(
    "rollback", model="taxi", label="stable", from_version=3, to_version=2, reason="bad"
)


def open_store(path: Path) -> Any:
    config = messages.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = messages.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    return ml_metadata.MetadataStore(config)


def manifest(run: str) -> Manifest:
    return Manifest(number=2, key="", sha256="", created="", properties={"run": run}, files=())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with a run of the pipeline `taxi` that pushed version 2 as artifact 1."""
    path = tmp_path / "metadata.db"
    store = open_store(path)
    pushed = store.put_artifact_type(messages.ArtifactType(name="PushedModel"))
    pusher = store.put_execution_type(messages.ExecutionType(name="Pusher"))
    contexts = [
        messages.Context(type_id=store.put_context_type(messages.ContextType(name=kind)), name=name)
        for kind, name in (("pipeline", "taxi"), ("pipeline_run", "taxi-1"))
    ]
    artifact = messages.Artifact(type_id=pushed, uri="/pushed")
    artifact.custom_properties["pushed_version"].string_value = "2"
    store.put_execution(
        messages.Execution(type_id=pusher),
        [(artifact, messages.Event(type=messages.Event.OUTPUT))],
        contexts,
    )
    return path


def changes_in(store: Any) -> list[Any]:
    return store.get_executions_by_type(EXECUTION_TYPE)


def test_change_is_an_execution_about_the_pushed_model(path: Path) -> None:
    number = record.record(CHANGE, store=str(path), pushed=manifest("taxi-1"))
    store = open_store(path)
    [found] = changes_in(store)
    assert found.id == number
    assert found.last_known_state == messages.Execution.COMPLETE
    texts = {name: found.properties[name].string_value for name in ("label", "action", "reason")}
    assert texts == {"label": "stable", "action": "rollback", "reason": "bad"}
    assert found.properties["from_version"].int_value == 3
    assert found.properties["to_version"].int_value == 2
    assert found.properties["user"].string_value == CHANGE.user
    [event] = store.get_events_by_execution_ids([number])
    assert (event.artifact_id, event.type) == (1, messages.Event.INPUT)
    assert event.path.steps[0].key == "pushed_model"
    assert [context.name for context in store.get_contexts_by_execution(number)] == ["taxi"]


@pytest.mark.parametrize("pushed", [None, manifest("another run")])
def test_change_of_an_unknown_version_is_recorded_without_it(
    path: Path, pushed: Manifest | None
) -> None:
    taken = Change(**{**CHANGE.__dict__, "to_version": None, "action": "unlabel"})
    number = record.record(taken, store=str(path), pushed=pushed)
    store = open_store(path)
    assert store.get_events_by_execution_ids([number]) == []
    assert [context.name for context in store.get_contexts_by_execution(number)] == ["taxi"]
    assert "to_version" not in changes_in(store)[0].properties


def test_changes_are_recorded_one_after_the_other(path: Path) -> None:
    first, second = (record.record(CHANGE, store=str(path)) for _ in range(2))
    assert [item.id for item in changes_in(open_store(path))] == [first, second]


def test_store_that_is_not_there_is_named_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "gone.db"
    with pytest.raises(RecordError, match=rf"not in the metadata store {path}: .*--metadata"):
        record.record(CHANGE, store=str(path))
    assert not path.exists()


def test_store_that_is_held_is_not_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "_BUSY_S", 0.1)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(RecordError, match="database is locked"):
        record.record(CHANGE, store=str(path))
    holder.close()


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        ("ftp://host/db", "ftp:// is not known"),
        ("mysql://me:secret@host/db", "WAYBILL_METADATA_PASSWORD"),
        ("grpc://127.0.0.1:1", "not in the metadata store grpc://127.0.0.1:1: "),
    ],
)
def test_store_that_cannot_be_reached_is_named(store: str, expected: str) -> None:
    with pytest.raises(RecordError, match=expected) as caught:
        record.record(CHANGE, store=store)
    assert "secret" not in str(caught.value)


def test_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no database")
    with pytest.raises(RecordError, match="file is not a database"):
        record.record(CHANGE, store=str(path))

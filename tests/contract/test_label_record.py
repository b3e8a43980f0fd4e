"""Changes of labels are recorded in every kind of store that ML Metadata has."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from typing import Any

import ml_metadata
import pytest
from ml_metadata.proto import metadata_store_pb2 as messages

from serving import history, record
from serving.record import EXECUTION_TYPE, PASSWORD, PASSWORD_FILE
from tests.contract.databases import MetadataService, Server

CHANGE = history.change(
    "promote", model="taxi", label="stable", from_version=None, to_version=2, reason="Grüße"
)


def config_of(server: Server, address: str) -> Any:
    config = messages.ConnectionConfig()
    name = urllib.parse.urlsplit(address).path.lstrip("/")
    if server.kind == "mysql":
        config.mysql.host, config.mysql.port = "127.0.0.1", server.port
        config.mysql.database, config.mysql.user = name, server.user
        config.mysql.password = server.password
    else:
        config.postgresql.host, config.postgresql.port = "127.0.0.1", str(server.port)
        config.postgresql.dbname, config.postgresql.user = name, server.user
        config.postgresql.password = server.password
    return config


def read(store: Any) -> list[tuple[str, int, str]]:
    return [
        (
            found.properties["action"].string_value,
            found.properties["to_version"].int_value,
            found.properties["reason"].string_value,
        )
        for found in store.get_executions_by_type(EXECUTION_TYPE)
    ]


@pytest.fixture(params=["mariadb_server", "postgresql_server"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


def test_change_is_written_to_a_database(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    address = server.new_database()
    store = ml_metadata.MetadataStore(config_of(server, address))
    monkeypatch.setenv(PASSWORD, server.password)
    record.record(CHANGE, store=address)
    monkeypatch.delenv(PASSWORD)
    secret = tmp_path / "password"
    secret.write_text(f"{server.password}\n")
    monkeypatch.setenv(PASSWORD_FILE, str(secret))
    record.record(CHANGE, store=address)
    assert read(store) == [("promote", 2, "Grüße")] * 2


def test_wrong_password_is_told_without_the_password(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = server.new_database()
    monkeypatch.setenv(PASSWORD, "not-the-one")
    with pytest.raises(record.RecordError) as caught:
        record.record(CHANGE, store=address)
    assert address in str(caught.value)
    assert "not-the-one" not in str(caught.value)


@pytest.fixture
def service(tmp_path: Any) -> Iterator[MetadataService]:
    config = messages.ConnectionConfig()
    config.sqlite.filename_uri = str(tmp_path / "metadata.db")
    config.sqlite.connection_mode = messages.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    running = MetadataService(config)
    yield running
    running.stop()


def test_change_is_written_to_a_server(service: MetadataService, tmp_path: Any) -> None:
    record.record(CHANGE, store=service.address)
    config = messages.ConnectionConfig()
    config.sqlite.filename_uri = str(tmp_path / "metadata.db")
    config.sqlite.connection_mode = messages.SqliteMetadataSourceConfig.READONLY
    assert read(ml_metadata.MetadataStore(config)) == [("promote", 2, "Grüße")]

"""Texts of properties are kept whole, however long, in every kind of store."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import ml_metadata
import pytest
from ml_metadata.proto import metadata_store_pb2

from components.errors import ConfigError
from pipeline import metadata
from pipeline.lineage.connection import PASSWORD, parse
from pipeline.postgresql import allow_long_texts
from tests.contract.databases import Server


def put(store: Any, text: str) -> Any:
    """Writes the text on a context, an execution and an artifact; returns what is then there."""
    kinds = {}
    for kind in ("context", "execution", "artifact"):
        types: Any = getattr(metadata_store_pb2, f"{kind.capitalize()}Type")(name=f"of_{kind}")
        type_id = getattr(store, f"put_{kind}_type")(types)
        item: Any = getattr(metadata_store_pb2, kind.capitalize())(type_id=type_id, name="one")
        item.custom_properties["text"].string_value = text
        [item_id] = getattr(store, f"put_{kind}s")([item])
        [found] = getattr(store, f"get_{kind}s_by_id")([item_id])
        kinds[kind] = found.custom_properties["text"].string_value
    return kinds


@pytest.mark.parametrize("kind", ["sqlite", "mysql", "postgresql"])
def test_a_long_text_comes_back_whole(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = str(tmp_path / "metadata.db")
    if kind != "sqlite":
        fixture = "mariadb_server" if kind == "mysql" else "postgresql_server"
        server: Server = request.getfixturevalue(fixture)
        monkeypatch.setenv(PASSWORD, server.password)
        address = server.new_database()
    metadata.prepare(address)
    # Random, so that no compression makes it short.
    text = secrets.token_hex(20_000)
    found = put(ml_metadata.MetadataStore(metadata.connection(address)), text)
    assert all(back == text for back in found.values())


def test_a_store_that_ml_metadata_made_by_itself_is_mended(
    postgresql_server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(PASSWORD, postgresql_server.password)
    address, text = postgresql_server.new_database(), secrets.token_hex(20_000)
    store = ml_metadata.MetadataStore(metadata.connection(address))
    with pytest.raises(ml_metadata.errors.InternalError, match="index row"):
        put(store, text)
    for _ in range(2):
        metadata.prepare(address)
    assert set(put(store, text).values()) == {text}


def test_a_user_who_does_not_own_the_tables_is_told_what_to_do(
    postgresql_server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(PASSWORD, postgresql_server.password)
    address = parse(postgresql_server.new_database())
    ml_metadata.MetadataStore(metadata.connection(str(address)))
    other = f"other_{secrets.token_hex(4)}"
    postgresql_server.execute(f"CREATE ROLE {other} LOGIN PASSWORD 'other'")
    monkeypatch.setenv(PASSWORD, "other")
    with pytest.raises(
        ConfigError, match=r"must be owner of .*Let the owner of the tables run: DROP"
    ):
        allow_long_texts(parse(str(address).replace(f"{address.user}@", f"{other}@")))

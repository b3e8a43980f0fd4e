"""SQLite files that are no store, not yet, no longer, or busy."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from components.errors import ConfigError
from pipeline.lineage import store
from pipeline.lineage.connection import parse
from pipeline.lineage.store import LineageStore
from tests.unit.pipeline.lineage.written_store import WrittenStore

_HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    written = WrittenStore(tmp_path)
    written.run("run-1")
    return written.database


def test_a_store_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.db: there is no metadata store"):
        LineageStore(parse(str(tmp_path / "none.db")))
    assert not (tmp_path / "none.db").exists()


def test_a_file_without_tables_stays_as_it_is(tmp_path: Path) -> None:
    empty, other = tmp_path / "empty.db", tmp_path / "other.db"
    empty.touch()
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE notes (text TEXT)")
    before = other.read_bytes()
    for path in (empty, other):
        with pytest.raises(ConfigError, match="no tables of ML Metadata"):
            LineageStore(parse(str(path)))
    assert empty.read_bytes() == b""
    assert other.read_bytes() == before


@pytest.mark.parametrize(
    ("version", "message"),
    [(8, "an older ML Metadata made it"), (99, "a newer ML Metadata made it")],
)
def test_a_store_of_another_version_is_not_changed(
    database: Path, version: int, message: str
) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE MLMDEnv SET schema_version = ?", [version])
    before = database.read_bytes()
    with pytest.raises(ConfigError, match=message):
        LineageStore(parse(str(database)))
    assert database.read_bytes() == before


def test_reading_changes_nothing(database: Path) -> None:
    before = database.read_bytes()
    reader = LineageStore(database)
    assert [run.id for run in reader.runs()] == ["run-1"]
    assert database.read_bytes() == before
    assert [path.name for path in database.parent.glob("metadata.db*")] == ["metadata.db"]


def test_a_writer_with_an_open_transaction_does_not_stop_a_reader(database: Path) -> None:
    code = _HOLD.replace("BEGIN EXCLUSIVE", "BEGIN IMMEDIATE")
    with _holding(database, code):
        assert [run.id for run in LineageStore(database).runs()] == ["run-1"]


def test_a_lock_that_is_given_up_is_waited_for_and_another_is_told(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_RETRIES", 1)
    reader = LineageStore(database)
    with _holding(database, _HOLD), pytest.raises(ConfigError, match="keeps it locked"):
        list(reader.runs())
    assert [run.id for run in reader.runs()] == ["run-1"]


class _holding:  # noqa: N801
    """Another process holds the file, since locks do not exclude their own process."""

    def __init__(self, database: Path, code: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, str(database)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "locked\n"

    def __exit__(self, *_: object) -> None:
        self._process.communicate("\n")

"""Runs are recorded in a database server that several machines share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.errors import ConfigError
from pipeline.lineage.connection import PASSWORD, PASSWORD_FILE, parse
from pipeline.lineage.store import LineageStore
from serving.versions import versions
from tests.command import PROJECT, Command
from tests.contract.databases import Server

pytestmark = pytest.mark.slow

FLAGS = ("--label", "target", "--set", "name=tumors", "--set", "training.steps=60")
NODES = "ExampleGen,StatisticsGen"


def recorded(address: str, node: str) -> list[str]:
    return [item.state for item in LineageStore(parse(address)).executions("tumors", node)]


def test_a_local_run_is_recorded_in_postgresql_and_continued_from_there(
    postgresql_server: Server,
    run_local: Command,
    small_table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    address = postgresql_server.new_database()
    monkeypatch.setenv(PASSWORD, postgresql_server.password)
    flags = ("--data", str(small_table), *FLAGS, "--set", f"metadata.uri={address}")
    root = tmp_path / "root"

    first = run_local(root, *flags)
    assert first.exit_code == 0, first.stdout + first.stderr
    assert not (root / "metadata.db").exists()
    assert recorded(address, "Pusher") == ["COMPLETE"]
    [version] = versions(root / "serving" / "tumors")
    assert version.properties["metadata"] == address

    again = run_local(root, *flags)
    assert again.exit_code == 0, again.stdout + again.stderr
    assert "nothing to do" in again.stdout

    texts = [file.read_bytes() for file in root.rglob("*") if file.is_file()]
    assert not any(postgresql_server.password.encode() in text for text in texts)
    dump = postgresql_server.execute(
        "SELECT string_value FROM contextproperty UNION SELECT string_value FROM executionproperty",
        database=address.rpartition("/")[2],
    )
    assert "waybill" in dump
    assert postgresql_server.password not in dump


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_nodes_of_several_runs_write_to_one_database_at_once(
    kind: str, request: pytest.FixtureRequest, small_table: Path, tmp_path: Path
):
    server: Server = request.getfixturevalue(
        "mariadb_server" if kind == "mysql" else "postgresql_server"
    )
    address = server.new_database()
    secret = tmp_path / "password"
    secret.write_text(server.password + "\n")
    environment = {**os.environ, PASSWORD_FILE: str(secret)}
    environment.pop(PASSWORD, None)

    def start(module: str, *flags: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", module, *flags],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(process: subprocess.Popen[str]) -> str:
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said
        return said

    assert server.password not in end(start("pipeline.init_store", "--metadata", address))
    bundle = tmp_path / "compiled"
    end(start("pipeline.compile", "--data", str(small_table), *FLAGS, "--out", str(bundle)))
    flags = ("--ir", str(bundle), "--node", NODES, "--data", str(small_table.parent))
    runs = [
        start(
            *("pipeline.run_node", *flags, "--metadata", address),
            *("--run-id", f"run{i}", "--root", str(tmp_path / f"root{i}")),
        )
        for i in range(2)
    ]
    assert [server.password in end(process) for process in runs] == [False, False]
    for node in NODES.split(","):
        states = recorded_with(environment, address, node)
        assert len(states) == 2
        # One that comes late finds the result of the other.
        assert set(states) <= {"COMPLETE", "CACHED"}


def recorded_with(environment: dict[str, str], address: str, node: str) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PASSWORD_FILE, environment[PASSWORD_FILE])
        patch.delenv(PASSWORD, raising=False)
        return recorded(address, node)


def test_a_password_in_the_configuration_is_refused_and_not_repeated(
    run_local: Command, small_table: Path, tmp_path: Path
):
    uri = "mysql://me:hunter2@127.0.0.1:1/db"
    result = run_local(tmp_path, "--data", str(small_table), *FLAGS, "--set", f"metadata.uri={uri}")
    assert result.exit_code == ConfigError.exit_code
    assert "WAYBILL_METADATA_PASSWORD" in result.stderr
    assert "hunter2" not in result.stderr + result.stdout


def test_a_server_that_is_away_is_named(run_local: Command, small_table: Path, tmp_path: Path):
    uri = "postgresql://me@127.0.0.1:1/db"
    result = run_local(tmp_path, "--data", str(small_table), *FLAGS, "--set", f"metadata.uri={uri}")
    assert result.exit_code == ConfigError.exit_code
    assert "127.0.0.1" in result.stderr

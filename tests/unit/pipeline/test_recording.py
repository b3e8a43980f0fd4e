"""What a run writes down of itself: complete, without secrets, and never at the run's expense."""

from __future__ import annotations

import json
import subprocess
import time
import tomllib
from pathlib import Path

import psutil
import pytest
from ml_metadata.proto import metadata_store_pb2

from components.ingestion import raw_files
from pipeline import __version__
from pipeline.fingerprint import PROJECT
from pipeline.lineage.store import open_store
from pipeline.recording import names
from pipeline.recording.facts import config_hash, git_commit, git_url, installed, run_facts
from pipeline.recording.recorder import Recorder, one_line, record_outcome
from pipeline.recording.redaction import HIDDEN, is_secret, redact, redact_command, redact_text
from pipeline.recording.usage import measure
from tests.unit.pipeline.lineage.written_store import Execution, WrittenStore


def test_the_version_is_the_one_that_is_published() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__


@pytest.mark.parametrize(
    "name",
    ["password", "db_password", "API_KEY", "apiKey", "aws.secret_access_key", "auth-token", "PWD"],
)
def test_names_of_secrets_are_known(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    ["split_key", "token_vocabulary_size", "tokens", "key", "", "author", "monkey", "s3_key_id"],
)
def test_names_of_settings_are_no_secrets(name: str) -> None:
    assert not is_secret(name)


def test_secrets_are_hidden_wherever_they_stand() -> None:
    shown = redact(
        {
            "push": {
                "password": "hunter2",
                "directory": "s3://me:hunter2@host/x?token=hunter2&a=1",
            },
            "beam": ["--aws_secret_access_key=hunter2", "--runner=Direct"],
            "seed": 3,
            "api_key": None,
        }
    )
    assert "hunter2" not in json.dumps(shown)
    assert shown["beam"][1] == "--runner=Direct"
    assert shown["push"]["directory"] == f"s3://{HIDDEN}@host/x?token={HIDDEN}&a=1"
    assert (shown["seed"], shown["api_key"]) == (3, None)


def test_a_password_with_an_at_sign_is_hidden_whole() -> None:
    assert redact_text("mysql://u:p@ss@host/db failed") == f"mysql://{HIDDEN}@host/db failed"


def test_the_word_after_a_secret_flag_is_hidden() -> None:
    assert redact_command(["run", "--api-key", "abc", "--set", "a.token=b", "--seed", "1"]) == [
        "run", "--api-key", HIDDEN, "--set", f"a.token={HIDDEN}", "--seed", "1",
    ]  # fmt: skip


def test_an_error_is_one_bounded_line_without_secrets() -> None:
    line = one_line("Cannot connect\n  to mysql://u:pw@h/d\n" + "x" * 1000)
    assert line.startswith(f"Cannot connect to mysql://{HIDDEN}@h/d xxx")
    assert len(line) == 500
    assert "\n" not in line


def test_facts_of_a_run_are_complete(tmp_path: Path) -> None:
    found = run_facts(
        {"name": "taxi", "comet": {"api_key": "hunter2"}},
        seed=7,
        folder=tmp_path,
        argv=["python", "-m", "pipeline.run_local", "--set", "comet.api_key=hunter2"],
    )
    assert "hunter2" not in json.dumps(found)
    assert json.loads(str(found[names.CONFIG]))["name"] == "taxi"
    assert found[names.SEED] == 7
    assert json.loads(str(found[names.LIBRARIES]))["tfx"] == "1.21.0"
    assert {names.HOST, names.PYTHON, names.VERSION, names.COMMAND} <= found.keys()
    assert names.GIT not in found


def test_packages_are_those_that_python_knows() -> None:
    import importlib.metadata

    found = installed()
    for name in ("tensorflow", "apache-beam", "pydantic", "ml-metadata"):
        assert found[name] == importlib.metadata.version(name)


def test_the_configuration_has_one_hash_however_it_is_written() -> None:
    assert config_hash({"a": 1, "b": 2}) == config_hash({"b": 2, "a": 1})
    assert config_hash({"a": 1}) != config_hash({"a": 2})


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, "-C", str(folder), *words], check=True, capture_output=True)


def test_the_commit_is_that_of_the_users_folder(tmp_path: Path) -> None:
    assert git_commit(tmp_path) == ""
    git(tmp_path, "init", "-q")
    (tmp_path / "a.yaml").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    git(tmp_path, "tag", "-a", "v1", "-m", "tagged")
    commit = git_commit(tmp_path)
    assert len(commit) == 40
    (tmp_path / "a.yaml").write_text("2")
    assert git_commit(tmp_path) == f"{commit}-dirty"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://user:hunter2@host/team/repo.git", "https://host/team/repo.git"),
        ("git@host:team/repo.git", "ssh://host/team/repo.git"),
        ("ssh://git@host:2222/repo", "ssh://host:2222/repo"),
        ("/srv/repo", ""),
    ],
)
def test_the_repositorys_address_has_no_user(tmp_path: Path, address: str, shown: str) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "remote", "add", "origin", address)
    assert git_url(tmp_path) == shown


def test_usage_counts_time_processor_and_memory() -> None:
    before = psutil.Process().memory_info().rss
    with measure() as usage:
        held = bytearray(b"x") * (200 << 20)
        end = time.process_time() + 0.3
        while time.process_time() < end:
            held[0] = 1
    assert usage.cpu_s >= 0.3
    assert usage.wall_s >= 0.3
    assert usage.peak_bytes > before + (180 << 20)


@pytest.fixture
def written(tmp_path: Path) -> WrittenStore:
    return WrittenStore(tmp_path / "root")


def recorder(written: WrittenStore, run_id: str) -> Recorder:
    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(written.database)
    connection.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE
    return Recorder(
        connection=connection,
        pipeline=written.pipeline,
        run_id=run_id,
        pipeline_root=written.root / "artifacts",
        log=written.root / "logs" / "r.log",
    )


def execution_of(written: WrittenStore, artifact: int) -> int:
    [event] = written.store.get_events_by_artifact_ids([artifact])
    return int(event.execution_id)


def bare(written: WrittenStore, artifact: int) -> None:
    """Takes what is recorded off an artifact."""
    [item] = written.store.get_artifacts_by_id([artifact])
    item.custom_properties.clear()
    written.store.put_artifacts([item])


def test_a_node_leaves_its_usage_and_what_its_files_are(written: WrittenStore) -> None:
    model = written.node("r", "Trainer", files={"a.txt": "abc", "sub/b.txt": "de"})
    bare(written, model)
    with recorder(written, "r").node("Trainer") as record:
        record.execution_id = execution_of(written, model)
    [execution] = written.reader.executions("taxi", "Trainer")
    assert execution.properties[names.WALL_S] >= 0
    assert execution.properties[names.PEAK_BYTES] > 0
    assert execution.text(names.LOG).endswith("r.log")
    assert names.ERROR not in execution.properties
    artifact = execution.output("model")
    assert artifact is not None
    assert artifact.properties[names.FILES] == 2
    assert artifact.properties[names.BYTES] == sum(
        path.stat().st_size for path in Path(artifact.uri).rglob("*.txt")
    )
    assert len(artifact.text(names.SHA256)) == 64


def test_what_is_recorded_on_an_artifact_is_never_written_again(written: WrittenStore) -> None:
    model = written.node("r", "Trainer")
    before = written.reader.artifacts_by_id([model])[model]
    (written.folder(model) / "data").write_text("something else")
    with recorder(written, "r").node("Trainer") as record:
        record.execution_id = execution_of(written, model)
    assert written.reader.artifacts_by_id([model])[model] == before


def test_nothing_is_recorded_of_a_cached_node(written: WrittenStore) -> None:
    model = written.node("r1", "Trainer")
    bare(written, model)
    before = written.reader.artifacts_by_id([model])[model]
    cached = written.cached("r2", "Trainer", model)
    with recorder(written, "r2").node("Trainer") as record:
        record.execution_id = cached
    assert written.reader.executions_by_id([cached])[cached].properties == {}
    assert written.reader.artifacts_by_id([model])[model] == before


def test_a_node_that_raises_leaves_its_error(written: WrittenStore) -> None:
    written.node("earlier", "Trainer", state=Execution.FAILED)
    failed = written.node("r", "Trainer", state=Execution.FAILED)
    written.node("r", "Evaluator", state=Execution.FAILED)

    def fail() -> None:
        with recorder(written, "r").node("Trainer"):
            raise ValueError("the loss is NaN\nat step 3, token=abc")

    with pytest.raises(ValueError, match="NaN"):
        fail()
    told = {
        item.id: item.text(names.ERROR)
        for node in ("Trainer", "Evaluator")
        for item in written.reader.executions("taxi", node)
    }
    assert told.pop(failed) == f"the loss is NaN at step 3, token={HIDDEN}"
    assert set(told.values()) == {""}


def test_a_retry_that_succeeds_takes_the_error_back(written: WrittenStore) -> None:
    model = written.node("r", "Trainer", properties={names.ERROR: "disk full", names.WALL_S: 9.0})
    with recorder(written, "r").node("Trainer") as record:
        record.execution_id = execution_of(written, model)
    [execution] = written.reader.executions("taxi", "Trainer")
    assert names.ERROR not in execution.properties
    assert execution.properties[names.WALL_S] < 9


def test_asking_again_for_a_node_that_succeeded_changes_nothing(written: WrittenStore) -> None:
    model = written.node("r", "Trainer", properties={names.WALL_S: 9.0})
    with recorder(written, "r").node("Trainer") as record:
        record.execution_id = execution_of(written, model)
    [execution] = written.reader.executions("taxi", "Trainer")
    assert execution.properties == {names.WALL_S: 9.0}


def test_a_store_that_refuses_does_not_fail_the_node(
    written: WrittenStore, caplog: pytest.LogCaptureFixture
) -> None:
    model = written.node("r", "Trainer")
    identity = execution_of(written, model)
    broken = recorder(written, "r")
    broken.connection.sqlite.filename_uri = str(written.root / "no" / "such" / "folder.db")
    with broken.node("Trainer") as record:
        record.execution_id = identity
    assert "could be recorded" in caplog.text


def test_the_outcome_is_recorded_on_the_run(written: WrittenStore) -> None:
    written.run("r", ["ExampleGen"])
    record_outcome(
        lambda: open_store(written.database, writable=True),
        "r",
        exit_code=4,
        kind="not good enough",
        reason="auc is low",
    )
    run = written.reader.run("r")
    assert run is not None
    assert json.loads(run.text(names.OUTCOME)) == {
        "exit_code": 4, "kind": "not good enough", "reason": "auc is low", "version": None,
    }  # fmt: skip
    # A run that never came to the store is passed over.
    record_outcome(lambda: None, "r", exit_code=0, kind="pushed", reason="")


def test_ingestion_and_lineage_agree_on_the_names() -> None:
    assert (raw_files.INPUT, raw_files.ROWS) == (names.INPUT, names.ROWS)

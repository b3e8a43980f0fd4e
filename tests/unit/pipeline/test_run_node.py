"""The command answers what is wrong with its flags before TensorFlow is imported."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from components.errors import ConfigError
from pipeline import run_node
from pipeline.compile.bundle import Bundle, CompiledNode, to_json
from pipeline.compile.tasks import tasks
from pipeline.fingerprint import code_hash

CODE = ("components/errors.py",)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A compiled pipeline of two nodes, of which only what is read before TensorFlow is real."""
    bundle = Bundle(
        name="taxi",
        parameters={"root": None, "data": None},
        nodes=tuple(
            CompiledNode(id=name, upstream=(), code=CODE, code_hash=code_hash(CODE))
            for name in ("ExampleGen", "Trainer")
        ),
        tasks=tasks({"ExampleGen": (), "Trainer": ("ExampleGen",)}, "stages"),
        has_spans=False,
        config={},
        ir='{"root": "${waybill.root}", "data": "${waybill.data}"}',
        folder=tmp_path,
    )
    (tmp_path / "pipeline.json").write_text(to_json(bundle))
    (tmp_path / "ir.json").write_text(bundle.ir)
    return tmp_path


def refusal(folder: Path, capsys: pytest.CaptureFixture[str], *flags: str, node: str) -> str:
    given = ["--ir", str(folder), "--node", node, "--run-id", "r", "--root", str(folder / "root")]
    assert run_node.main([*given, *flags]) == ConfigError.exit_code
    return capsys.readouterr().err


def test_an_unknown_node_is_answered_with_the_nearest(folder: Path, capsys):
    assert "Did you mean 'Trainer'" in refusal(folder, capsys, node="ExampleGen,Triner")


def test_a_missing_parameter_is_named(folder: Path, capsys):
    assert "needs a value for data" in refusal(folder, capsys, node="Trainer")


def test_an_unknown_parameter_is_refused(folder: Path, capsys):
    said = refusal(folder, capsys, "--data", "/d", "--param", "rot=/x", node="Trainer")
    assert "Did you mean 'root'" in said


def test_a_span_is_refused_where_the_data_has_none(folder: Path, capsys):
    assert "{SPAN}" in refusal(folder, capsys, "--data", "/d", "--span", "3", node="Trainer")


def test_a_folder_without_a_compiled_pipeline_is_named(tmp_path: Path, capsys):
    assert "pipeline.compile --out" in refusal(tmp_path, capsys, node="Trainer")


def test_a_damaged_file_is_named(folder: Path, capsys):
    (folder / "pipeline.json").write_text("{")
    assert "is damaged" in refusal(folder, capsys, node="Trainer")


def test_code_other_than_was_compiled_is_refused(folder: Path, capsys):
    document = json.loads((folder / "pipeline.json").read_text())
    document["nodes"][1]["code_hash"] = "0" * 64
    (folder / "pipeline.json").write_text(json.dumps(document))
    said = refusal(folder, capsys, "--data", "/d", node="Trainer")
    assert "Trainer differs (components/errors.py)" in said


@pytest.mark.parametrize("run_id", ["", "a/b", "../x", "a b", "x" * 202])
def test_an_id_that_cannot_name_a_run_is_refused(run_id: str):
    with pytest.raises(ConfigError, match="--run-id"):
        run_node.run_id_of("taxi", run_id)


def test_the_id_of_a_run_begins_with_the_pipeline_once():
    assert run_node.run_id_of("taxi", "scheduled__2026-11-21T00:00:00+00:00").startswith("taxi-s")
    assert run_node.run_id_of("taxi", "taxi-1") == "taxi-1"


def test_the_configured_span_is_no_other_one(folder: Path, capsys):
    assert "needs a value for data" in refusal(
        folder, capsys, "--span", "configured", node="Trainer"
    )


@pytest.mark.parametrize("flag", ["--retries", "--timeout"])
def test_fewer_attempts_than_none_are_refused(folder: Path, capsys, flag: str):
    assert f"{flag} -1" in refusal(folder, capsys, flag, "-1", node="Trainer")


def test_what_is_wrong_with_the_flags_is_not_tried_again(folder: Path, capfd):
    given = ["--ir", str(folder), "--node", "Trainer", "--run-id", "r", "--root", str(folder)]
    assert run_node.main([*given, "--retries", "3"]) == ConfigError.exit_code
    said = capfd.readouterr().err
    assert said.count("needs a value for data") == 1
    assert "attempt 1 ended" not in said


def test_a_packed_pipeline_is_read_as_one_that_is_not(folder: Path, capsys):
    packed = gzip.compress((folder / "ir.json").read_bytes())
    (folder / "ir.json").unlink()
    (folder / "ir.json.gz").write_bytes(packed)
    assert "needs a value for data" in refusal(folder, capsys, node="Trainer")
    (folder / "ir.json.gz").write_bytes(packed[:-9])
    assert "ir.json.gz is damaged" in refusal(folder, capsys, node="Trainer")

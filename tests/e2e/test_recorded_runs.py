"""What real runs write down of themselves, and what is made of it for other tools."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import prov.model
import pytest

from pipeline.lineage.__main__ import main
from pipeline.lineage.checksums import read_contents
from pipeline.lineage.models import Execution
from pipeline.recording import names
from tests.e2e.lineage_runs import NAME, LineageRuns


def executions_of(runs: LineageRuns, run_id: str) -> list[Execution]:
    run = runs.reader.run(run_id)
    assert run is not None
    found = runs.reader.executions_of_run(run)
    return list(runs.reader.placed(found).values())


def outcome(runs: LineageRuns, run_id: str) -> dict[str, Any]:
    run = runs.reader.run(run_id)
    assert run is not None
    found: dict[str, Any] = json.loads(run.text(names.OUTCOME))
    return found


def ask(runs: LineageRuns, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["--store", str(runs.layout.metadata), *words]) in (0, 1)
    return capsys.readouterr().out


def test_a_run_knows_what_was_asked_and_with_what(lineage_runs: LineageRuns) -> None:
    run = lineage_runs.reader.run(lineage_runs.first)
    assert run is not None
    config = json.loads(run.text(names.CONFIG))
    assert config["name"] == NAME
    assert config["training"]["steps"] == 40
    assert len(run.text(names.CONFIG_HASH)) == 64
    assert json.loads(run.text(names.LIBRARIES))["tfx"] == "1.21.0"
    assert "--label target" in run.text(names.COMMAND)
    assert {names.HOST, names.PYTHON, names.VERSION, names.SEED} <= run.properties.keys()


def test_a_run_knows_how_it_ended(lineage_runs: LineageRuns) -> None:
    first = outcome(lineage_runs, lineage_runs.first)
    assert (first["exit_code"], first["kind"], first["version"]) == (0, "pushed", "1")
    refused = outcome(lineage_runs, lineage_runs.refused)
    assert (refused["exit_code"], refused["kind"]) == (4, "not good enough")
    assert "auc" in refused["reason"]
    killed = outcome(lineage_runs, lineage_runs.killed)
    assert (killed["exit_code"], killed["kind"]) == (None, "killed")
    assert outcome(lineage_runs, lineage_runs.second)["version"] == "2"


def test_work_is_measured_and_what_was_cached_is_not(lineage_runs: LineageRuns) -> None:
    for run_id in (lineage_runs.first, lineage_runs.refused, lineage_runs.second):
        for execution in executions_of(lineage_runs, run_id):
            if execution.state == "CACHED":
                assert not {names.WALL_S, names.LOG, names.ERROR} & execution.properties.keys()
                continue
            assert execution.properties[names.WALL_S] > 0
            assert execution.properties[names.PEAK_BYTES] > 50 << 20
            assert Path(execution.text(names.LOG)).is_file()
            assert names.ERROR not in execution.properties
    cached = executions_of(lineage_runs, lineage_runs.refused)
    assert Counter(item.state for item in cached)["CACHED"] == 6


def test_the_killed_node_says_so(lineage_runs: LineageRuns) -> None:
    [killed] = [
        execution
        for execution in executions_of(lineage_runs, lineage_runs.killed)
        if execution.state == "CANCELED"
    ]
    assert killed.node == "Trainer"
    assert killed.text(names.ERROR) == "the process was killed"


def test_artifacts_have_the_hash_of_their_files(lineage_runs: LineageRuns) -> None:
    artifacts = list(lineage_runs.reader.newest_artifacts())
    assert len(artifacts) > 30
    for artifact in artifacts:
        found = read_contents(Path(artifact.uri))
        assert artifact.text(names.SHA256) == found.sha256, artifact
        assert artifact.properties[names.BYTES] == found.num_bytes


def test_examples_know_their_raw_files(lineage_runs: LineageRuns) -> None:
    examples = [
        artifact
        for artifact in lineage_runs.reader.newest_artifacts()
        if names.INPUT in artifact.properties
    ][::-1]
    assert len(examples) == 2
    for artifact, file in zip(examples, lineage_runs.files, strict=True):
        content = file.read_bytes()
        [known] = json.loads(artifact.text(names.INPUT))
        assert known == {
            "path": str(file),
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "rows": content.count(b"\n") - 1,
        }
        rows = json.loads(artifact.text(names.ROWS))
        assert sum(rows.values()) == known["rows"]


def test_every_export_of_real_runs_can_be_read(
    lineage_runs: LineageRuns,
    capsys: pytest.CaptureFixture[str],
) -> None:
    events = [json.loads(line) for line in ask(lineage_runs, capsys, "export").splitlines()]
    kinds = Counter(event["eventType"] for event in events)
    assert kinds["START"] == kinds["COMPLETE"] + kinds["ABORT"]
    assert kinds["ABORT"] == 2  # the killed Trainer, and its run
    assert {"schema"} <= {
        name for event in events for item in event["inputs"] for name in item["facets"]
    }
    text = ask(lineage_runs, capsys, "export", lineage_runs.second, "--format", "prov-json")
    document = prov.model.ProvDocument.deserialize(content=text, format="json")
    [raw] = [
        record
        for record in document.get_records(prov.model.ProvEntity)
        if str(lineage_runs.files[1]) in map(str, record.get_attribute("prov:location"))
    ]
    assert raw.identifier is not None


def test_a_run_is_drawn_in_every_format(
    lineage_runs: LineageRuns,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for form in ("text", "mermaid", "dot", "svg", "html"):
        words = ["graph", lineage_runs.second, "--format", form]
        assert main(["--store", str(lineage_runs.layout.metadata), *words]) == 0
        shown = capfd.readouterr().out
        assert all(name in shown for name in ("ExampleGen", "Trainer", "Pusher"))


def test_the_doctor_finds_real_runs_in_order_and_then_what_is_wrong(
    lineage_runs: LineageRuns,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    found = json.loads(ask(lineage_runs, capsys, "doctor", "--json"))
    assert found["counts"] == {"error": 0, "warning": 0, "note": 0}, found
    # The store names the places of the original, so only what is served is damaged in the copy.
    serving = tmp_path / "serving"
    shutil.copytree(lineage_runs.root / "serving", serving)
    (serving / NAME / "2" / "saved_model.pb").write_bytes(b"")
    words = ["doctor", "--quick", "--json", "--serving", str(serving)]
    found = json.loads(ask(lineage_runs, capsys, *words))
    assert {"damaged version"} <= {finding["kind"] for finding in found["findings"]}


def test_nothing_of_what_is_served_may_be_deleted(
    lineage_runs: LineageRuns,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("gc", "--dry-run", "--keep-runs", "1", "--json")
    found = json.loads(ask(lineage_runs, capsys, *words))
    assert found["kept"]["runs"] == 1
    assert f"{NAME}/2" in found["kept"]["versions"]
    listed = {candidate["subject"] for candidate in found["candidates"]}
    trace = json.loads(ask(lineage_runs, capsys, "trace", "live", "--json"))
    made_of = {f"artifact:{artifact['id']}" for artifact in trace["graph"]["artifacts"]}
    assert made_of
    assert not made_of & listed
    refused = [
        item
        for execution in executions_of(lineage_runs, lineage_runs.refused)
        if execution.node == "Trainer"
        for item in lineage_runs.reader.edges_of_executions([execution.id])
        if item.is_output
    ]
    assert {f"artifact:{edge.artifact}" for edge in refused} <= listed

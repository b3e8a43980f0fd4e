"""What is left over, lost, changed or unknown is found; what is in order is not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import filelock
import pytest

from pipeline.lineage.__main__ import main
from pipeline.lineage.doctor import Finding, Settings, examine
from tests.unit.pipeline.lineage.served_versions import label, push
from tests.unit.pipeline.lineage.written_store import Execution, WrittenStore


@pytest.fixture
def written(tmp_path: Path) -> WrittenStore:
    """A run with a pushed, labelled version; all in order."""
    written = WrittenStore(tmp_path / "root")
    made = written.run("r", ["ExampleGen"])
    model = written.node("r", "Trainer", inputs=[made["ExampleGen"]])
    folder = written.folder(model)
    (folder / "saved_model.pb").write_bytes(b"model")
    version, _ = push(written, "r", model)
    label(written, {"stable": version.number})
    # `push` changed the model's files.
    rehash(written, model)
    (written.root / ".lock").touch()
    return written


def rehash(written: WrittenStore, number: int) -> None:
    from pipeline.lineage.checksums import read_contents

    [artifact] = written.store.get_artifacts_by_id([number])
    found = read_contents(Path(artifact.uri))
    artifact.custom_properties["waybill_sha256"].string_value = found.sha256
    written.store.put_artifacts([artifact])


def findings(written: WrittenStore, *, is_quick: bool = False, locks: bool = True) -> list[Finding]:
    settings = Settings(
        serving=written.root / "serving",
        root=written.root if locks else None,
        is_quick=is_quick,
    )
    return list(examine(written.reader, settings))


def only(found: list[Finding]) -> Finding:
    [finding] = found
    return finding


def test_nothing_is_found_where_all_is_in_order(written: WrittenStore) -> None:
    assert findings(written) == []


def test_an_execution_that_nothing_works_on_is_found(written: WrittenStore) -> None:
    running = written.node("r2", "Trainer", state=Execution.RUNNING)
    finding = only(findings(written))
    assert (finding.severity, finding.kind) == ("error", "unfinished")
    assert finding.subject == f"execution:{running}"
    assert "Trainer of run r2 is RUNNING" in finding.message


def test_an_execution_at_work_is_a_note(written: WrittenStore) -> None:
    written.node("r2", "Trainer", state=Execution.RUNNING)
    with filelock.FileLock(written.root / ".lock"):
        assert only(findings(written)).severity == "note"
    # Without a lock to ask, a young execution may be at work.
    assert only(findings(written, locks=False)).severity == "note"


def test_asking_for_the_lock_does_not_keep_it(written: WrittenStore) -> None:
    written.node("r2", "Trainer", state=Execution.RUNNING)
    findings(written)
    with filelock.FileLock(written.root / ".lock", blocking=False) as lock:
        assert lock.is_locked


def test_files_that_are_gone_are_found(written: WrittenStore) -> None:
    examples = written.node("r2", "ExampleGen")
    shutil.rmtree(written.folder(examples))
    finding = only(findings(written))
    assert (finding.kind, finding.subject) == ("gone", f"artifact:{examples}")


@pytest.mark.parametrize("change", ["edited", "added", "removed"])
def test_files_that_were_changed_are_found(written: WrittenStore, change: str) -> None:
    schema = written.node("r2", "SchemaGen", files={"a": "x", "b": "y"})
    folder = written.folder(schema)
    if change == "edited":
        content = (folder / "a").read_bytes()
        (folder / "a").write_bytes(bytes([content[0] ^ 1]) + content[1:])
    elif change == "added":
        (folder / "c").touch()
    else:
        (folder / "b").unlink()
    finding = only(findings(written))
    assert (finding.kind, finding.subject) == ("changed", f"artifact:{schema}")
    assert findings(written, is_quick=True) == []


def test_files_that_no_artifact_knows_are_found(written: WrittenStore) -> None:
    left = written.root / "artifacts" / "taxi" / "Evaluator" / "evaluation" / "99"
    left.mkdir(parents=True)
    (written.root / "artifacts/taxi/Trainer/.system/77").mkdir(parents=True)
    (written.root / "artifacts/taxi/Trainer/checkpoints/step").mkdir(parents=True)
    finding = only(findings(written))
    assert (finding.severity, finding.kind) == ("warning", "unknown files")
    assert finding.subject == str(left)


def test_a_version_that_the_store_does_not_know_is_found(
    written: WrittenStore, tmp_path: Path
) -> None:
    elsewhere = WrittenStore(tmp_path / "other")
    model = elsewhere.node("x", "Trainer")
    version, _ = push(elsewhere, "x", model)
    copy = written.root / "serving" / "taxi" / "7"
    shutil.copytree(version.path, copy)
    manifest = copy / "assets.extra" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"number": 1', '"number": 7'))
    finding = only(findings(written))
    assert (finding.severity, finding.kind, finding.subject) == ("warning", "no lineage", str(copy))
    label(written, {"stable": 7})
    assert only(findings(written)).severity == "error"


def test_a_folder_without_a_manifest_is_found(written: WrittenStore) -> None:
    folder = written.root / "serving" / "taxi" / "8"
    folder.mkdir()
    finding = only(findings(written))
    assert (finding.kind, finding.subject) == ("no lineage", str(folder))


def test_a_labelled_version_with_other_files_is_found(written: WrittenStore) -> None:
    (written.root / "serving" / "taxi" / "1" / "saved_model.pb").write_bytes(b"other")
    finding = only(findings(written))
    assert (finding.severity, finding.kind) == ("error", "damaged version")


def test_a_label_without_a_version_is_found(written: WrittenStore) -> None:
    label(written, {"stable": 1, "canary": 5})
    finding = only(findings(written))
    assert (finding.kind, finding.subject) == ("no version", "label:canary")


def test_the_command_tells_and_counts(
    written: WrittenStore, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ["--store", str(written.database), "doctor"]
    assert main(store) == 0
    assert "Nothing was found." in capsys.readouterr().out
    examples = written.node("r2", "ExampleGen")
    shutil.rmtree(written.folder(examples))
    assert main(store) == 1
    shown = capsys.readouterr().out
    assert f"artifact:{examples}" in shown
    assert "1 error, 0 warnings, 0 notes" in shown
    assert main([*store, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["counts"] == {"error": 1, "warning": 0, "note": 0}
    assert found["findings"][0]["kind"] == "gone"

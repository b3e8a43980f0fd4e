"""Only what nothing served and none of the last runs comes from may be deleted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.errors import ConfigError
from pipeline.lineage import gc
from pipeline.lineage.__main__ import main
from tests.unit.pipeline.lineage.served_versions import label, push
from tests.unit.pipeline.lineage.written_store import Event, Execution, WrittenStore, event


@pytest.fixture
def written(tmp_path: Path) -> WrittenStore:
    return WrittenStore(tmp_path / "root")


def trained(written: WrittenStore, run_id: str) -> dict[str, int]:
    """A run that pushes a model."""
    made = written.run(run_id, ["ExampleGen", "Trainer"])
    version, pushed = push(written, run_id, made["Trainer"])
    return {**made, "Pusher": pushed, "version": version.number}


def listed(written: WrittenStore, num_runs: int = 1) -> dict[str, int]:
    """The paths that may be deleted below the root, and their sizes."""
    serving = written.root / "serving"
    kept = gc.keep(written.reader, serving, num_runs=num_runs)
    return {
        str(Path(item.path).relative_to(written.root)): item.num_bytes
        for item in gc.candidates(written.reader, serving, kept)
    }


def test_what_no_label_and_no_run_needs_is_listed_with_its_size(written: WrittenStore) -> None:
    old, new = trained(written, "old"), trained(written, "new")
    label(written, {"stable": new["version"]})
    found = listed(written)
    assert set(found) == {
        *(
            str(written.folder(old[node]).relative_to(written.root))
            for node in ("ExampleGen", "Trainer", "Pusher")
        ),
        f"serving/taxi/{old['version']}",
    }
    model = written.folder(old["Trainer"])
    assert found[str(model.relative_to(written.root))] == sum(
        path.stat().st_size for path in model.rglob("*") if path.is_file()
    )


def test_all_that_a_labelled_version_was_made_of_stays(written: WrittenStore) -> None:
    old = trained(written, "old")
    label(written, {"stable": old["version"]})
    for number in range(3):
        written.run(f"later-{number}", ["ExampleGen", "Trainer"])
    found = listed(written)
    kept = {str(written.folder(old[node]).relative_to(written.root))
            for node in ("ExampleGen", "Trainer", "Pusher")}  # fmt: skip
    assert not kept & set(found)
    assert len(found) == 4


def test_any_label_counts(written: WrittenStore) -> None:
    versions = [trained(written, f"r{number}")["version"] for number in range(3)]
    label(written, {"stable": versions[2], "canary": versions[0]})
    assert {path for path in listed(written) if path.startswith("serving")} == {
        f"serving/taxi/{versions[1]}"
    }


def test_a_label_counts_where_a_server_loads_what_it_likes(written: WrittenStore) -> None:
    old = trained(written, "old")["version"]
    trained(written, "new")
    path = label(written, {"stable": old})
    text = path.read_text()
    start = text.index("    model_version_policy {")
    end = text.index("    version_labels {")
    path.write_text(text[:start] + text[end:])
    assert f"serving/taxi/{old}" not in listed(written)


def test_what_was_written_beside_something_that_stays_stays(written: WrittenStore) -> None:
    old = trained(written, "old")
    label(written, {"stable": old["version"]})
    curves = written.node("old", "Curves")
    [made] = written.store.get_events_by_artifact_ids([curves])
    [trainer] = {
        event.execution_id
        for event in written.store.get_events_by_artifact_ids([old["Trainer"]])
        if event.type == Event.OUTPUT
    }
    path = str(written.folder(curves).relative_to(written.root))
    written.run("last", ["ExampleGen"])
    assert path in listed(written)
    beside = event(Event.OUTPUT, "model_run")
    beside.execution_id, beside.artifact_id = trainer, curves
    written.store.put_events([beside])
    assert made.execution_id != trainer
    assert path not in listed(written)


def test_what_a_server_is_told_to_load_stays_without_a_label(written: WrittenStore) -> None:
    versions = [trained(written, f"r{number}")["version"] for number in range(2)]
    path = label(written, {"stable": versions[1], "old": versions[0]})
    path.write_text(path.read_text().replace('key: "old"', 'key: "gone"'))
    text = path.read_text()
    start = text.index('    version_labels {\n      key: "gone"')
    end = text.index("}", start) + 1
    path.write_text(text[:start] + text[end:])
    assert not [path for path in listed(written) if path.startswith("serving")]


def test_without_labels_the_newest_version_stays(written: WrittenStore) -> None:
    old, new = trained(written, "old"), trained(written, "new")
    written.run("last", ["ExampleGen"])
    found = listed(written)
    assert f"serving/taxi/{new['version']}" not in found
    assert str(written.folder(new["ExampleGen"]).relative_to(written.root)) not in found
    assert f"serving/taxi/{old['version']}" in found


def test_the_last_runs_of_each_pipeline_stay(written: WrittenStore) -> None:
    for number in range(3):
        written.run(f"r{number}", ["ExampleGen"])
    other = WrittenStore(written.root, pipeline="other")
    kept = other.run("o", ["ExampleGen"])
    found = listed(written, num_runs=2)
    assert len(found) == 1
    assert str(other.folder(kept["ExampleGen"]).relative_to(written.root)) not in found


def test_what_the_last_run_took_from_the_cache_stays(written: WrittenStore) -> None:
    examples = written.run("old", ["ExampleGen"])["ExampleGen"]
    written.cached("new", "ExampleGen", examples)
    assert listed(written) == {}


def test_files_of_executions_that_did_not_end_well_are_listed(written: WrittenStore) -> None:
    written.run("r", ["ExampleGen"])
    failed = written.node("r", "Trainer", state=Execution.FAILED)
    running = written.node("r", "Trainer", state=Execution.RUNNING)
    folder = written.root / "artifacts" / "taxi" / "Trainer" / "model"
    for number in (failed, running):
        (folder / str(number)).mkdir(parents=True)
        (folder / str(number) / "part").write_text("abc")
    assert listed(written) == {f"artifacts/taxi/Trainer/model/{failed}": 3}


def test_what_holds_something_that_stays_is_not_listed(written: WrittenStore) -> None:
    old = written.run("old", ["ExampleGen"])["ExampleGen"]
    new = written.run("new", ["ExampleGen"])["ExampleGen"]
    [artifact] = written.store.get_artifacts_by_id([new])
    inside = written.folder(old) / "inner"
    inside.mkdir()
    artifact.uri = str(inside)
    written.store.put_artifacts([artifact])
    assert str(written.folder(old).relative_to(written.root)) not in listed(written)


def test_a_damaged_models_config_stops_it(written: WrittenStore) -> None:
    version = trained(written, "r")["version"]
    label(written, {"stable": version}).write_text("model_config_list {")
    with pytest.raises(ConfigError):
        listed(written)


def test_the_command_lists_and_deletes_nothing(
    written: WrittenStore, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = trained(written, "old"), trained(written, "new")
    label(written, {"stable": new["version"]})
    files = sorted(written.root.rglob("*"))
    store = ["--store", str(written.database), "gc", "--keep-runs", "1"]
    assert main([*store, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert f"artifact:{old['Trainer']}" in shown
    assert "Nothing was deleted" in shown
    assert main([*store, "--dry-run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["num_bytes"] == sum(item["num_bytes"] for item in found["candidates"]) > 0
    assert found["kept"] == {"runs": 1, "versions": [f"taxi/{new['version']}"]}
    assert main(store) == 2
    assert "--dry-run" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main([*store[:-1], "0", "--dry-run"])
    assert ended.value.code == 2
    assert sorted(written.root.rglob("*")) == files

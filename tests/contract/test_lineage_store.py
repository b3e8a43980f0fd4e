"""Every kind of store answers every question alike."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import ml_metadata
import pytest

from components.errors import ConfigError
from pipeline import metadata
from pipeline.lineage import sources
from pipeline.lineage.connection import PASSWORD, PASSWORD_FILE, parse
from pipeline.lineage.errors import NotFound
from pipeline.lineage.naming import Names
from pipeline.lineage.queries.diff import diff
from pipeline.lineage.queries.impact import impact
from pipeline.lineage.queries.runs import Filter, list_runs
from pipeline.lineage.queries.search import Wanted, search
from pipeline.lineage.queries.show import show
from pipeline.lineage.queries.trace import trace
from pipeline.lineage.queries.why import why
from pipeline.lineage.store import LineageStore
from tests.command import PROJECT
from tests.contract.databases import MetadataService, Server
from tests.contract.lineage_contents import PIPELINE, History

KINDS = ("sqlite", "grpc", "mysql", "postgresql")


@dataclass(frozen=True)
class Written:
    """A store with the history in it."""

    address: str
    history: History
    server: Server | None

    @property
    def reader(self) -> LineageStore:
        return LineageStore(parse(self.address))

    @property
    def names(self) -> Names:
        return Names(reader=self.reader, folder=Path("/nowhere"))

    def artifact(self, name: str) -> int:
        return self.history.artifacts[name]

    def execution(self, name: str) -> int:
        return self.history.executions[name]


@pytest.fixture(scope="module", params=KINDS)
def written(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Written]:
    """The history in each kind of store; databases ask for a password."""
    patch = pytest.MonkeyPatch()
    service = server = None
    if request.param in ("mysql", "postgresql"):
        fixture = "mariadb_server" if request.param == "mysql" else "postgresql_server"
        server = request.getfixturevalue(fixture)
        patch.setenv(PASSWORD, server.password)
        address = server.new_database()
    else:
        address = str(tmp_path_factory.mktemp("store") / "metadata.db")
    config = metadata.connection(address)
    history = History(ml_metadata.MetadataStore(config)).write()
    if request.param == "grpc":
        service = MetadataService(config)
        address = service.address
    yield Written(address, history, server)
    if service is not None:
        service.stop()
    patch.undo()


def test_runs_are_listed_newest_first_with_what_became_of_them(written: Written) -> None:
    page = list_runs(written.reader)
    assert [(row.run.id, row.run.state, row.decision, row.version) for row in page.rows] == [
        ("run-5", "RUNNING", "running", ""),
        ("run-4", "FAILED", "failed", ""),
        ("run-3", "COMPLETE", "pushed", "2"),
        ("run-2", "COMPLETE", "not good enough", ""),
        ("run-1", "COMPLETE", "pushed", "1"),
    ]
    assert {row.run.pipeline for row in page.rows} == {PIPELINE}
    assert page.rows[1].reason == "ValueError: no such column"
    assert page.rows[2].metrics == {"auc": 0.9}
    assert page.rows[3].num_cached == 2
    assert not page.has_more


def test_pages_of_runs_follow_each_other(written: Written) -> None:
    pages = [list_runs(written.reader, limit=2, skip=skip) for skip in (0, 2, 4)]
    assert [[row.run.id for row in page.rows] for page in pages] == [
        ["run-5", "run-4"],
        ["run-3", "run-2"],
        ["run-1"],
    ]
    assert [page.has_more for page in pages] == [True, True, False]


def test_runs_are_filtered(written: Written) -> None:
    def ids(**wanted: Any) -> list[str]:
        return [row.run.id for row in list_runs(written.reader, Filter(**wanted)).rows]

    assert ids(state="pushed") == ["run-3", "run-1"]
    assert ids(state="Failed") == ["run-4"]
    assert ids(pipeline="other") == []
    [first] = (run for run in written.reader.runs() if run.id == "run-1")
    assert ids(until_ms=first.started_ms) == []
    assert ids(since_ms=first.started_ms)[-1] == "run-1"


def test_a_run_is_shown_with_its_nodes_and_what_they_read_and_wrote(written: Written) -> None:
    shown = show(written.reader, written.names.find("run-3"))
    assert shown.row is not None
    run = shown.row.run
    assert [(item.node, item.state) for item in run.executions] == [
        ("ExampleGen", "COMPLETE"),
        ("Transform", "COMPLETE"),
        ("StartingResolver", "COMPLETE"),
        ("Trainer", "COMPLETE"),
        ("BaselineResolver", "COMPLETE"),
        ("Evaluator", "COMPLETE"),
        ("Pusher", "COMPLETE"),
    ]
    trainer = run.execution("Trainer")
    assert trainer is not None
    read = {key: [item.id for item in found] for key, found in trainer.inputs.items()}
    assert read == {
        "examples": [written.artifact("run-3/Transform.transformed_examples")],
        "base_model": [written.artifact("run-1/Trainer.model")],
    }
    assert trainer.output("model") is not None
    resolver = run.execution("BaselineResolver")
    assert resolver is not None
    assert resolver.inputs == {}
    assert [item.id for item in resolver.outputs["model"]] == [
        written.artifact("run-1/Trainer.model")
    ]
    assert (trainer.pipeline, trainer.run) == (PIPELINE, "run-3")


def test_a_resolver_found_what_it_did_not_make(written: Written) -> None:
    shown = show(
        written.reader, written.names.find(f"artifact:{written.artifact('run-1/Trainer.model')}")
    )
    [item] = shown.artifacts
    assert item.producer is not None
    assert item.producer.id == written.execution("run-1/Trainer")
    assert {reader.node for reader in item.readers} == {
        "Evaluator",
        "Pusher",
        "BaselineResolver",
        "StartingResolver",
        "Trainer",
    }


def test_trace_leads_to_the_raw_files_and_past_the_baseline(written: Written) -> None:
    found = trace(written.reader, written.names.find("v1"))
    [source] = found.data
    [file] = source.files
    assert (file.path, file.sha256, file.num_rows) == ("/data/span-1/trips.csv", "1" * 64, 10)
    assert source.span == "1"
    assert sources.num_rows(source.artifact) == {"train": 7, "eval": 3}
    assert found.code == {"ExampleGen": "c0de"}
    nodes = [item.node for item in found.graph.executions.values()]
    assert nodes == ["ExampleGen", "Transform", "Trainer", "Evaluator", "Pusher"]
    # run-3 began with the model of run-1, so the data of both is in its model.
    later = trace(written.reader, written.names.find("v2"))
    assert [source.span for source in later.data] == ["1", "2"]
    assert [run.id for run in later.runs] == ["run-1", "run-3"]


def test_a_judgement_ties_no_model_to_its_baseline(written: Written) -> None:
    refused = written.artifact("run-2/Trainer.model")
    found = trace(written.reader, written.names.find(f"artifact:{refused}"))
    assert {item.run for item in found.graph.executions.values()} == {"run-1", "run-2"}
    assert written.artifact("run-1/Trainer.model") not in found.graph.artifacts
    touched = impact(written.reader, written.names.find(f"artifact:{refused}"))
    assert [item.artifact.id for item in touched.models] == [refused]
    assert (len(touched.pushed), len(touched.refused)) == (0, 1)


@pytest.mark.parametrize("name", ["/data/span-1/trips.csv", "span:1", "sha256:" + "1" * 12])
def test_impact_of_data_reaches_every_model_and_version(written: Written, name: str) -> None:
    found = impact(written.reader, written.names.find(name))
    models = [written.artifact(f"run-{n}/Trainer.model") for n in (1, 2, 3)]
    assert [item.artifact.id for item in found.models] == models
    versions = [item.artifact.text("pushed_version") for item in found.pushed]
    assert versions == ["1", "2"]
    assert [item.execution.run for item in found.pushed if item.execution] == ["run-1", "run-3"]
    assert len(found.refused) == 1


def test_impact_of_a_later_span_spares_earlier_versions(written: Written) -> None:
    found = impact(written.reader, written.names.find("span:2"))
    assert [item.artifact.text("pushed_version") for item in found.pushed] == ["2"]


def test_impact_of_an_execution_follows_what_it_wrote(written: Written) -> None:
    found = impact(
        written.reader, written.names.find(f"execution:{written.execution('run-3/Transform')}")
    )
    assert [item.artifact.id for item in found.models] == [written.artifact("run-3/Trainer.model")]


def test_why_tells_the_refusal(written: Written) -> None:
    found = why(written.reader, written.names.find("run-2"))
    verdicts = {check.node: (check.verdict, check.reason) for check in found.checks}
    assert verdicts["Evaluator"] == ("refused", "auc on all examples is below 0.8")
    assert verdicts["Pusher"] == ("refused", "")
    failed = why(written.reader, written.names.find("run-4"))
    assert [(c.node, c.verdict, c.reason) for c in failed.checks] == [
        ("Trainer", "failed", "ValueError: no such column")
    ]


def test_diff_tells_data_settings_and_metrics_apart(written: Written) -> None:
    found = diff(written.reader, written.names.find("run-1"), written.names.find("run-2"))
    by_what = {item.what: (item.before, item.after) for item in found.differences}
    assert by_what["all examples.auc"] == (0.9, 0.5)
    assert "settings.Trainer.steps" in by_what
    assert not [item for item in found.differences if item.section == "data"]
    other = diff(written.reader, written.names.find("v1"), written.names.find("v2"))
    data = {item.what: item.change for item in other.differences if item.section == "data"}
    assert data["examples.rows.train"] == 7


def test_search_finds_by_type_state_node_and_property(written: Written) -> None:
    def found(**wanted: Any) -> list[int]:
        return [item.id for item in search(written.reader, Wanted(**wanted)).items]  # type: ignore[union-attr]

    refused = written.artifact("run-2/Evaluator.blessing")
    assert found(kind="artifact", type="ModelBlessing", properties={"blessed": "0"}) == [refused]
    assert found(kind="artifact", properties={"reason": "auc*"}) == [refused]
    assert found(kind="execution", state="failed") == [written.execution("run-4/Trainer")]
    trainers = [written.execution(f"run-{n}/Trainer") for n in (4, 3, 2, 1)]
    assert found(kind="execution", node="Trainer") == trainers
    assert found(kind="execution", type="Trainer", run="run-3") == [trainers[1]]
    limited = search(written.reader, Wanted(kind="execution", node="Trainer"), limit=2)
    assert (len(limited.items), limited.has_more) == (2, True)


def test_lists_are_read_newest_first_across_batches(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.lineage.store._FIRST_PAGE", 2)
    monkeypatch.setattr("pipeline.lineage.store._BATCH", 3)
    reader = written.reader
    executions = [item.id for item in reader.newest_executions()]
    assert executions == sorted(written.history.executions.values(), reverse=True)
    artifacts = [item.id for item in islice(reader.newest_artifacts(), 5)]
    assert artifacts == sorted(written.history.artifacts.values(), reverse=True)[:5]
    assert len(reader.edges_of_executions(executions)) == len(
        reader.edges_of_artifacts(written.history.artifacts.values())
    )


def test_the_latest_executions_of_a_node_come_with_their_artifacts(written: Written) -> None:
    found = written.reader.executions(PIPELINE, "Evaluator")
    assert [item.id for item in found] == [
        written.execution(f"run-{number}/Evaluator") for number in (3, 2, 1)
    ]
    assert {key: items[0].type for key, items in found[0].outputs.items()} == {
        "evaluation": "ModelEvaluation",
        "blessing": "ModelBlessing",
    }


def test_what_is_not_there_is_not_found(written: Written) -> None:
    for name in ("artifact:99999", "execution:99999", "run-9", "span:7", "/no/such.csv", "v9"):
        with pytest.raises(NotFound, match=name):
            written.names.find(name)
    with pytest.raises(ConfigError, match="5 runs begin so"):
        written.names.find("run-")
    assert written.reader.artifacts_by_id([99999]) == {}


def test_a_run_of_many_is_placed_like_one_of_few(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = written.reader
    all_of_them = reader.executions_by_id(written.history.executions.values()).values()
    exactly = reader.placed(all_of_them)
    monkeypatch.setattr("pipeline.lineage.placing._MAX_ASKED", 0)
    assert reader.placed(all_of_them) == exactly
    monkeypatch.setattr("pipeline.lineage.placing._MAX_LOOKED_UP", 0)
    assert reader.placed(all_of_them) == exactly
    assert {item.node for item in exactly.values()} >= {"StartingResolver", "BaselineResolver"}


def test_the_command_answers(written: Written) -> None:
    environment = dict(os.environ)
    if written.server is not None:
        environment[PASSWORD] = written.server.password
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.lineage", "runs", "--store", written.address],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "not good enough" in done.stdout
    assert done.stderr == ""


in_a_database = pytest.mark.parametrize("written", ["mysql", "postgresql"], indirect=True)


@in_a_database
def test_a_wrong_password_is_one_error_that_does_not_repeat_it(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD, "not-the-password")
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        LineageStore(parse(written.address))
    assert "not-the-password" not in str(caught.value)


@in_a_database
def test_a_password_may_be_in_a_file(
    written: Written, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = written.server
    assert server is not None
    secret = tmp_path / "password"
    secret.write_text(f"{server.password}\n")
    monkeypatch.delenv(PASSWORD)
    monkeypatch.setenv(PASSWORD_FILE, str(secret))
    assert written.reader.run("run-1") is not None


@in_a_database
def test_a_user_who_may_only_read_can_read(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = written.server
    assert server is not None
    database = parse(written.address).database
    if server.kind == "mysql":
        server.execute("CREATE USER reader@'%' IDENTIFIED BY 'only-reads'")
        server.execute(f"GRANT SELECT ON {database}.* TO reader@'%'")
    else:
        server.execute("CREATE USER reader PASSWORD 'only-reads'")
        server.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", database=database)
    monkeypatch.setenv(PASSWORD, "only-reads")
    address = written.address.replace(server.user, "reader")
    assert [row.run.id for row in list_runs(LineageStore(parse(address))).rows][-1] == "run-1"

"""What other tools read is what they expect, and says the same each time."""

from __future__ import annotations

import functools
import importlib
import json
import pkgutil
from collections import Counter
from pathlib import Path
from typing import Any

import attr
import prov.model
import pytest
from openlineage.client import generated
from openlineage.client.event_v2 import RunState

from pipeline.lineage.__main__ import main
from pipeline.lineage.export.openlineage import to_events
from pipeline.lineage.export.plain_json import to_json
from pipeline.lineage.export.prov import to_prov
from pipeline.lineage.graph import selection
from pipeline.lineage.models import Graph, Run
from pipeline.recording import names
from tests.unit.pipeline.lineage.hostile import HOSTILE, hostile_graph
from tests.unit.pipeline.lineage.written_store import Execution, WrittenStore

_RAW = [{"path": "/data/trips.csv", "bytes": 120, "sha256": "ab" * 32, "rows": 9}]
_SCHEMA = 'feature { name: "fare" type: FLOAT annotation { comment: "in dollars" } }'
Event = dict[str, Any]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> WrittenStore:
    """Two runs: one that failed, and one that found the examples in the cache."""
    written = WrittenStore(tmp_path_factory.mktemp("export"))
    examples = written.node(
        "first",
        "ExampleGen",
        of_artifact={
            names.INPUT: json.dumps(_RAW),
            names.ROWS: '{"train": 6, "eval": 3}',
            "password": "hunter2",
        },
    )
    schema = written.node("first", "SchemaGen")
    (written.folder(schema) / "schema.pbtxt").write_text(_SCHEMA)
    written.node(
        "first",
        "Trainer",
        inputs=[examples, schema],
        state=Execution.FAILED,
        properties={names.ERROR: "the loss is NaN"},
    )
    [context] = written.store.get_contexts_by_type("pipeline_run")
    for name, value in {
        names.LIBRARIES: '{"tfx": "1.21.0"}',
        names.GIT: "c0ffee",
        names.GIT_URL: "https://host/repo.git",
    }.items():
        context.custom_properties[name].string_value = value
    written.store.put_contexts([context])
    written.cached("second", "ExampleGen", examples)
    written.node("second", "Trainer", inputs=[examples], state=Execution.RUNNING)
    return written


@pytest.fixture(scope="module")
def runs(written: WrittenStore) -> list[Run]:
    return selection.newest_runs(written.reader, 10)


@pytest.fixture(scope="module")
def graph(written: WrittenStore, runs: list[Run]) -> Graph:
    return selection.of_runs(written.reader, runs)


@pytest.fixture(scope="module")
def events(graph: Graph, runs: list[Run]) -> list[Event]:
    return list(to_events(graph, runs, "store"))


@functools.cache
def foreign_classes() -> dict[str, type]:
    """The classes that OpenLineage generates from its published schema, by name."""
    return {
        name: kind
        for module in pkgutil.iter_modules(generated.__path__)
        for name, kind in vars(
            importlib.import_module(f"{generated.__name__}.{module.name}")
        ).items()
        if isinstance(kind, type) and attr.has(kind)
    }


def made(name: str, values: Event) -> Any:
    """An object of OpenLineage's own; raises for what is missing, unknown, or of no such form."""
    return foreign_classes()[name](**values)


def facet_of(facet: Event) -> Any:
    name = facet["_schemaURL"].rpartition("/")[2]
    plain = {key: value for key, value in facet.items() if not key.startswith("_")}
    return made(name, plain)


def facets_of(event: Event) -> list[Event]:
    holders = [event["run"]["facets"], event["job"]["facets"]]
    for dataset in (*event["inputs"], *event["outputs"]):
        holders += [dataset.get(k, {}) for k in ("facets", "inputFacets", "outputFacets")]
    return [facet for holder in holders for facet in holder.values()]


def check(events: list[Event]) -> int:
    """Makes events and their standard facets; returns the number of those facets."""
    num_facets = 0
    for event in events:
        values = {key: value for key, value in event.items() if key != "schemaURL"}
        values["eventType"] = RunState[event["eventType"]]
        values["run"] = made("Run", event["run"])
        values["job"] = made("Job", event["job"])
        values["inputs"] = [made("InputDataset", dataset) for dataset in event["inputs"]]
        values["outputs"] = [made("OutputDataset", dataset) for dataset in event["outputs"]]
        made("RunEvent", values)
        for facet in facets_of(event):
            if facet["_schemaURL"].startswith("https://openlineage.io/"):
                facet_of(facet)
                num_facets += 1
    return num_facets


def named(events: list[Event], kind: str, job: str) -> Event:
    [found] = [e for e in events if e["eventType"] == kind and e["job"]["name"] == job][-1:]
    return found


def test_events_and_facets_are_what_openlineage_takes(events: list[Event]) -> None:
    assert check(events) > 40


@pytest.mark.parametrize(
    "broken",
    [
        {"eventType": "STOPPED"},
        {"run": {"runId": "7", "facets": {}}},
        {"job": {"name": "x"}},
        {"eventTime": "today"},
        {"inputs": [{"name": "x"}]},
        {"what": 1},
    ],
)
def test_openlineage_refuses_what_is_wrong(events: list[Event], broken: Event) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        check([{**events[0], **broken}])


def test_each_execution_starts_and_ends(events: list[Event]) -> None:
    kinds = Counter((event["job"]["name"], event["eventType"]) for event in events)
    assert kinds == {
        ("taxi", "START"): 2,
        ("taxi", "FAIL"): 1,
        ("taxi.ExampleGen", "START"): 2,
        ("taxi.ExampleGen", "COMPLETE"): 2,
        ("taxi.SchemaGen", "START"): 1,
        ("taxi.SchemaGen", "COMPLETE"): 1,
        ("taxi.Trainer", "START"): 2,
        ("taxi.Trainer", "FAIL"): 1,
    }
    times = [event["eventTime"] for event in events]
    assert times == sorted(times)


def test_a_start_comes_before_the_end_of_the_same_run(events: list[Event]) -> None:
    begun: set[str] = set()
    for event in events:
        run = event["run"]["runId"]
        assert (event["eventType"] == "START") == (run not in begun)
        begun.add(run)


def test_raw_files_are_the_inputs_of_what_read_them(events: list[Event]) -> None:
    ends = [e for e in events if e["job"]["name"] == "taxi.ExampleGen"
            and e["eventType"] == "COMPLETE"]  # fmt: skip
    [raw] = ends[0]["inputs"]
    assert (raw["namespace"], raw["name"]) == ("file", "/data/trips.csv")
    assert raw["facets"]["version"]["datasetVersion"] == "ab" * 32
    statistics = raw["inputFacets"]["inputStatistics"]
    assert (statistics["rowCount"], statistics["size"]) == (9, 120)
    # The second found its result in the cache and read nothing.
    assert ends[1]["inputs"] == []
    assert ends[1]["run"]["facets"]["waybill_execution"]["state"] == "CACHED"


def test_an_artifact_is_a_version_of_a_dataset(events: list[Event]) -> None:
    [written_as] = named(events, "COMPLETE", "taxi.ExampleGen")["outputs"]
    read = named(events, "FAIL", "taxi.Trainer")["inputs"][0]
    assert written_as["name"] == read["name"]
    assert written_as["name"].endswith("/artifacts/taxi/ExampleGen/examples")
    assert written_as["facets"]["version"] == read["facets"]["version"]
    assert written_as["outputFacets"]["outputStatistics"]["rowCount"] == 9
    [place] = read["facets"]["symlinks"]["identifiers"]
    assert place["name"].startswith(f"{read['name']}/")


def test_columns_come_from_the_schema_that_was_read_with_the_examples(
    events: list[Event],
) -> None:
    read = named(events, "FAIL", "taxi.Trainer")["inputs"][0]
    assert read["facets"]["schema"]["fields"] == [
        {"name": "fare", "type": "FLOAT", "description": "in dollars"}
    ]


def test_a_failure_tells_its_error_its_parent_and_the_code(events: list[Event]) -> None:
    failed = named(events, "FAIL", "taxi.Trainer")
    facets = failed["run"]["facets"]
    assert facets["errorMessage"]["message"] == "the loss is NaN"
    parent = next(e["run"]["runId"] for e in events if e["eventType"] == "FAIL"
                  and e["job"]["name"] == "taxi")  # fmt: skip
    assert facets["parent"]["run"]["runId"] == parent
    assert facets["processing_engine"]["version"] == "1.21.0"
    assert failed["job"]["facets"]["sourceCodeLocation"]["version"] == "c0ffee"


def test_secrets_in_properties_are_not_handed_on(events: list[Event]) -> None:
    assert "hunter2" not in json.dumps(events)


def test_ids_are_the_same_for_one_store_and_differ_between_stores(
    graph: Graph, runs: list[Run], events: list[Event]
) -> None:
    assert list(to_events(graph, runs, "store")) == events
    assert to_prov(graph, runs, "store") == to_prov(graph, runs, "store")
    others = list(to_events(graph, runs, "other"))
    ids, other_ids = ({event["run"]["runId"] for event in found} for found in (events, others))
    assert not ids & other_ids


def test_prov_reads_it_back_with_the_same_counts(graph: Graph, runs: list[Run]) -> None:
    text = json.dumps(to_prov(graph, runs, "store"), allow_nan=False)
    document = prov.model.ProvDocument.deserialize(content=text, format="json")
    kinds = Counter(type(record).__name__ for record in document.get_records())
    assert kinds == {
        "ProvEntity": len(graph.artifacts) + 1,  # and the raw file
        "ProvActivity": len(graph.executions) + len(runs),
        "ProvAgent": 1,
        "ProvAssociation": len(graph.executions) + len(runs),
        "ProvGeneration": 2,
        # Three of artifacts, one of the file, one of what the cache answered.
        "ProvUsage": 5,
    }


def test_prov_knows_who_made_what(graph: Graph, runs: list[Run]) -> None:
    document = prov.model.ProvDocument.deserialize(
        content=json.dumps(to_prov(graph, runs, "store")), format="json"
    )
    labels = {
        record.identifier: record.label for record in document.get_records(prov.model.ProvActivity)
    }
    makers = {
        str(labels[record.args[1]]) for record in document.get_records(prov.model.ProvGeneration)
    }
    assert makers == {"ExampleGen", "SchemaGen"}


def test_our_json_has_everything(graph: Graph, runs: list[Run]) -> None:
    found = json.loads(json.dumps(to_json(graph, runs, "store"), allow_nan=False))
    assert found["version"] == 1
    assert [run["id"] for run in found["runs"]] == ["first", "second"]
    assert [run["state"] for run in found["runs"]] == ["FAILED", "RUNNING"]
    assert len(found["executions"]) == len(graph.executions)
    assert len(found["artifacts"]) == len(graph.artifacts)
    assert len(found["edges"]) == len(graph.edges)


def test_hostile_text_is_a_value_in_every_form() -> None:
    graph = hostile_graph()
    runs = [
        Run(pipeline=text, id=text, context=number, started_ms=1, properties={text: text})
        for number, text in enumerate(HOSTILE)
    ]
    events = list(to_events(graph, runs, "store"))
    assert check(events)
    lines = [json.dumps(event, allow_nan=False) for event in events]
    assert all(len(line.splitlines()) == 1 for line in lines)
    text = json.dumps(to_prov(graph, runs, "store"), allow_nan=False)
    document = prov.model.ProvDocument.deserialize(content=text, format="json")
    assert len(list(document.get_records(prov.model.ProvEntity))) == len(HOSTILE)
    values = [value for record in document.get_records() for _, value in record.extra_attributes]
    assert HOSTILE[0] in values
    json.dumps(to_json(graph, runs, "store"), allow_nan=False).encode("utf-8")


def test_the_command_writes_lines_documents_and_files(
    written: WrittenStore,
    events: list[Event],
    capfdbinary: pytest.CaptureFixture[bytes],
    tmp_path: Path,
) -> None:
    store = ["--store", str(written.database)]
    assert main([*store, "export"]) == 0
    lines = capfdbinary.readouterr().out.splitlines()
    assert len(lines) == len(events)
    assert json.loads(lines[0])["eventType"] == "START"
    out = tmp_path / "new" / "lineage.json"
    assert main([*store, "export", "first", "--format", "prov-json", "--out", str(out)]) == 0
    assert json.loads(out.read_text())["prefix"]
    assert main([*store, "export", "first", "--format", "json"]) == 0
    found = json.loads(capfdbinary.readouterr().out)
    assert [run["id"] for run in found["runs"]] == ["first"]
    assert main([*store, "export", "--out", "/proc/none/x"]) == 2
    assert b"cannot be written" in capfdbinary.readouterr().err

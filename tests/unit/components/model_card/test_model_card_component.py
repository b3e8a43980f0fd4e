"""The ModelCard node on real artifacts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import Artifact, Channel, standard_artifacts

from components.features import DataSpec
from components.model_card.artifact import ModelCard
from components.model_card.component import ModelCardSpec, build
from components.model_card.executor import Executor
from components.model_card.files import EVALUATION_FILE
from components.model_card.settings import ModelCardSettings
from tests.unit.components.model_card.card_cases import spec
from tests.unit.components.model_card.evaluation_cases import evaluation
from tests.unit.pipeline.report_cases import numbers, texts

SCHEMA = """
feature { name: "tips" type: BYTES domain: "tip" }
feature { name: "trip_miles" type: FLOAT float_domain { min: 0 } }
feature { name: "hour" type: INT int_domain { min: 0 max: 23 } }
feature { name: "driver" type: BYTES }
string_domain { name: "tip" value: "small_tip" value: "big_tip" }
"""


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, list[Artifact]]:
    kinds: dict[str, type[Artifact]] = {
        name: parameter.type for name, parameter in ModelCardSpec.INPUTS.items()
    }
    found = {}
    for number, (name, kind) in enumerate(kinds.items(), 1):
        artifact = kind()
        artifact.uri, artifact.id = str(tmp_path / name), number
        Path(artifact.uri).mkdir()
        found[name] = [artifact]
    columns = [
        texts("tips", {"small_tip": 6, "big_tip": 4}),
        numbers("trip_miles", [0.5, 1.5, 9.0], missing=7),
        numbers("hour", [0, 12, 23]),
        texts("driver", {"Ada": 1, "Bob": 1}),
    ]
    for split, num_rows in (("train", 10), ("eval", 5)):
        statistics = statistics_pb2.DatasetFeatureStatisticsList()
        statistics.datasets.add(num_examples=num_rows, features=columns)
        folder = tmp_path / "statistics" / f"Split-{split}"
        folder.mkdir()
        (folder / "FeatureStats.pb").write_bytes(statistics.SerializeToString())
    (tmp_path / "schema" / "schema.pbtxt").write_text(SCHEMA)
    (tmp_path / "evaluation" / EVALUATION_FILE).write_text(json.dumps(evaluation()))
    curve = {"curve": [{"step": 50, "loss": 1.0}, {"step": 300, "loss": 0.5}], "evaluations": []}
    (tmp_path / "model_run" / "history.json").write_text(json.dumps(curve))
    found["examples"][0].set_string_custom_property("input_fingerprint", "ab" * 32)
    found["examples"][0].set_string_custom_property("spans", "3-5")
    found["model"][0].set_string_custom_property("waybill_sha256", "ee" * 32)
    check = found["infra_blessing"][0]
    check.set_int_custom_property("blessed", 1)
    check.set_string_custom_property("reason", "64 rows were answered")
    check.set_float_custom_property("latency_p99_ms", 0.75)
    return found


def properties(known: DataSpec | None = None) -> dict[str, Any]:
    return {
        "settings": ModelCardSettings(intended_use="To rank trips.").model_dump_json(),
        "data_spec": (known or spec()).model_dump_json(),
        "training": json.dumps({"steps": 300, "loss.l2": 0.1, "model.dropout": 0.0}),
        "defaults": json.dumps({"steps": None, "loss.l2": 0.0, "model.dropout": 0.0}),
        "libraries": json.dumps({"tfx": "1.21.0"}),
        "name": "taxi",
        "code": "cd" * 32,
    }


def make(inputs: dict[str, list[Artifact]], folder: Path, **known: Any) -> tuple[str, Artifact]:
    """The card that the executor writes, and its artifact."""
    artifact = ModelCard()
    artifact.uri = str(folder)
    context = BaseExecutor.Context(pipeline_run_id="taxi-run", tmp_dir=str(folder), unique_id="1")
    Executor(context).Do(inputs, {"model_card": [artifact]}, {**properties(), **known})
    return (folder / "model_card.md").read_text(), artifact


def test_both_forms_are_written_and_hold_what_the_artifacts_say(
    inputs: dict[str, list[Artifact]], tmp_path: Path
) -> None:
    written, artifact = make(inputs, tmp_path / "card")
    assert sorted(path.name for path in (tmp_path / "card").iterdir()) == [
        "model_card.html",
        "model_card.md",
    ]
    assert artifact.get_string_custom_property("title") == "Model card of taxi"
    for text in (
        "Rows: 10 train, 5 eval. Spans: 3-5.",
        "| tips | label | text | 2 different values | 2 values | 0 |",
        "| trip_miles | numeric | number | 0.5 to 9, median 1.5 | at least 0 | 70 |",
        "| hour | numeric | whole number | 0 to 23, median 12 | 0 to 23 | 0 |",
        "| driver | not used |",
        "| small_tip | 60 | 57.5 |",
        "Steps made: 300.",
        "| steps | 300 |",
        "| loss.l2 | 0.1 |",
        "| run that wrote this card | taxi-run |",
        f"| model | Model | {'ee' * 32} | 1 |",
        '"trip_miles": 1.5',
        "| a call with one row, 99th percentile, ms | 0.75 |",
        "To rank trips.",
    ):
        assert text in written, text
    assert "Ada" not in written
    assert "model.dropout" not in written, "a default"
    assert (tmp_path / "card" / "model_card.html").read_text().startswith("<!doctype html>")


def test_the_same_inputs_give_the_same_bytes(
    inputs: dict[str, list[Artifact]], tmp_path: Path
) -> None:
    make(inputs, tmp_path / "one")
    make(inputs, tmp_path / "other")
    for name in ("model_card.md", "model_card.html"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_settings_that_the_tuner_found_are_told(
    inputs: dict[str, list[Artifact]], tmp_path: Path
) -> None:
    found = {"training.optimizer.learning_rate": 0.003}
    (tmp_path / "model_run" / "hyperparameters.json").write_text(json.dumps(found))
    written, _ = make(inputs, tmp_path / "card")
    assert "| training.optimizer.learning_rate | 0.003 |" in written


def test_a_refused_model_gets_its_card(inputs: dict[str, list[Artifact]], tmp_path: Path) -> None:
    inputs["infra_blessing"][0].set_int_custom_property("blessed", 0)
    (tmp_path / "evaluation" / EVALUATION_FILE).write_text(json.dumps(evaluation(blessed=False)))
    written, _ = make(inputs, tmp_path / "card")
    assert "This model was refused" in written
    assert "**Not servable**" in written


def test_the_node_offers_a_model_card() -> None:
    node = build(
        ModelCardSettings(), name="taxi", data_spec=spec(), training={"steps": 3}, defaults={},
        code="c", libraries={},
        inputs={name: Channel(type=found.type) for name, found in ModelCardSpec.INPUTS.items()},
    )  # fmt: skip
    assert node.outputs["model_card"].type_name == "ModelCard"
    assert node.inputs["evaluation"].type is standard_artifacts.ModelEvaluation
    assert json.loads(node.exec_properties["training"]) == {"steps": 3}

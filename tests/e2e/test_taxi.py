"""One real run on the taxi data, looked at from all sides."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.ingestion import sources
from components.ingestion.settings import DataSettings
from pipeline.lineage.store import open_store
from pipeline.nodes import nodes
from serving.labels import config_of, read_config
from serving.record import EXECUTION_TYPE
from serving.versions import verify, versions
from tests.command import Command, Result

COLUMNS = [
    *("trip_miles", "fare", "trip_seconds", "payment_type", "company"),
    *("pickup_latitude", "pickup_longitude", "dropoff_latitude", "dropoff_longitude"),
    *("trip_start_hour", "trip_start_day", "trip_start_month"),
]
TEXT = ("payment_type", "company")
NUM_ROWS = 15_002

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def splits(taxi_run: Result) -> dict[str, Rows]:
    """The raw rows of each split, as ExampleGen wrote them."""
    import tensorflow as tf

    [execution, *_] = taxi_run.executions("taxi", "ExampleGen")
    examples = execution.output("examples")
    assert examples is not None
    found: dict[str, Rows] = {}
    for split in ("train", "eval"):
        files = [str(file) for file in sorted(Path(examples.uri, f"Split-{split}").iterdir())]
        found[split] = [
            {"serialized": record, **_row(tf.train.Example.FromString(record))}
            for record in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator()
        ]
    return found


def _row(example: Any) -> dict[str, Any]:
    row = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        values = getattr(feature, kind).value if kind else []
        value = values[0] if len(values) else None
        row[name] = value.decode() if isinstance(value, bytes) else value
    return row


@pytest.fixture(scope="module")
def served(taxi_run: Result, splits: dict[str, Rows]) -> tuple[np.ndarray, np.ndarray]:
    """Label and predicted probability of each eval row, from the pushed model."""
    import tensorflow as tf

    model = tf.saved_model.load(taxi_run.report["pushed_to"])
    stripped = []
    for row in splits["eval"]:
        example = tf.train.Example.FromString(row["serialized"])
        del example.features.feature["tips"]
        stripped.append(example.SerializeToString())
    answers = model.signatures["serving_default"](examples=tf.constant(stripped))
    return np.array([label(row) for row in splits["eval"]]), answers["probability"].numpy()[:, 0]


def label(row: dict[str, Any]) -> int:
    fare = row["fare"] or 0
    return int(fare > 0 and (row["tips"] or 0) > np.float32(0.2) * np.float32(fare))


def test_the_run_ends_with_a_pushed_model_and_says_where(taxi_run: Result) -> None:
    assert taxi_run.exit_code == 0
    pushed = Path(taxi_run.report["pushed_to"])
    assert pushed == taxi_run.root / "serving" / "taxi" / "1"
    assert (pushed / "saved_model.pb").is_file()
    assert str(pushed) in taxi_run.stdout
    assert "decision  pushed" in taxi_run.stdout


def test_nothing_runs_beside_the_check_that_times_answers(taxi_run: Result) -> None:
    _, _, after = taxi_run.stdout.partition("ServingCheck: running\n")
    meanwhile, done, _ = after.partition("ServingCheck: done")
    assert done
    assert ": running" not in meanwhile
    states = re.findall(r"^\w+: (running|done)", taxi_run.stdout, re.MULTILINE)
    assert states == ["running", "done"] * (len(states) // 2)


def test_the_chatter_is_in_the_log_not_in_the_terminal(taxi_run: Result) -> None:
    assert len(taxi_run.stdout.splitlines()) < 80
    assert not taxi_run.stderr
    [log] = (taxi_run.root / "logs").iterdir()
    assert str(log) in taxi_run.stdout
    assert "oneDNN" in log.read_text() or "absl" in log.read_text()


def test_every_row_is_in_one_split(splits: dict[str, Rows], taxi_run: Result) -> None:
    assert {name: len(rows) for name, rows in splits.items()} == taxi_run.report["rows"]
    assert sum(taxi_run.report["rows"].values()) == NUM_ROWS


def test_the_examples_hold_the_cells_of_the_file(splits: dict[str, Rows]) -> None:
    source = sources.resolve(DataSettings())
    with source.files[0].open(newline="") as file:
        expected = sorted(_sort_key(row) for row in csv.DictReader(file))
    actual = sorted(_sort_key(row) for rows in splits.values() for row in rows)
    assert actual == expected


def _sort_key(row: dict[str, Any]) -> tuple[Any, ...]:
    cells = []
    for name in (*COLUMNS, "tips"):
        value = row.get(name)
        if name in TEXT:
            cells.append(value or "")
        else:
            cells.append(-math.inf if value in (None, "") else float(np.float32(value)))
    return tuple(cells)


def test_every_node_is_in_the_metadata_store_with_its_artifacts(taxi_run: Result) -> None:
    expected = {
        "ExampleGen": {"examples": "Examples"},
        "StatisticsGen": {"statistics": "ExampleStatistics"},
        "SchemaGen": {"schema": "Schema"},
        "ExampleValidator": {"anomalies": "ExampleAnomalies"},
        "DataGate": {"blessing": "DataBlessing"},
        "Transform": {"transform_graph": "TransformGraph", "transformed_examples": "Examples"},
        "Trainer": {"model": "Model", "model_run": "ModelRun"},
        "Evaluator": {"evaluation": "ModelEvaluation", "blessing": "ModelBlessing"},
        "ServingCheck": {"blessing": "InfraBlessing"},
        "ModelCard": {"model_card": "ModelCard"},
        "Pusher": {"pushed_model": "PushedModel"},
    }
    for node, outputs in expected.items():
        [execution] = taxi_run.executions("taxi", node)
        assert execution.state == "COMPLETE"
        assert {key: items[0].type for key, items in execution.outputs.items()} == outputs
        for artifact in (item for items in execution.outputs.values() for item in items):
            assert Path(artifact.uri).exists()


def test_events_tie_the_pushed_model_to_the_data(taxi_run: Result) -> None:
    from pipeline.config import find, read, validate
    from pipeline.resolve import resolve

    resolved = resolve(validate(read(find("taxi")), "taxi"))
    for node in nodes(resolved):
        if not node.is_cacheable:
            continue
        [execution] = taxi_run.executions("taxi", node.id)
        for key, (source, output) in node.inputs.items():
            [produced] = taxi_run.executions("taxi", source)
            assert execution.inputs.get(key, ()) == produced.outputs.get(output, ())


def test_the_schema_is_the_curated_one(taxi_run: Result) -> None:
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    [execution] = taxi_run.executions("taxi", "SchemaGen")
    artifact = execution.output("schema")
    assert artifact is not None
    curated = Path("schemas/taxi/schema.pbtxt").read_text()
    written = Path(artifact.uri, "schema.pbtxt").read_text()
    assert text_format.Parse(written, schema_pb2.Schema()) == text_format.Parse(
        curated, schema_pb2.Schema()
    )


def test_the_label_column_is_no_input_of_the_served_model(taxi_run: Result) -> None:
    [execution] = taxi_run.executions("taxi", "Transform")
    spec = str(execution.properties["waybill_settings"])
    import json

    names = {feature["name"] for feature in json.loads(spec)["spec"]["features"]}
    assert names == set(COLUMNS)


def test_the_pushed_model_answers_as_the_evaluation_did(
    taxi_run: Result, served: tuple[np.ndarray, np.ndarray]
) -> None:
    from sklearn.metrics import log_loss, roc_auc_score

    labels, probability = served
    metrics = taxi_run.report["candidate"]
    # TFMA approximates the area by 10,000 thresholds.
    assert roc_auc_score(labels, probability) == pytest.approx(metrics["auc"], abs=1e-3)
    assert log_loss(labels, probability) == pytest.approx(metrics["log_loss"], abs=1e-4)
    assert metrics["example_count"] == len(labels)


def test_the_model_is_at_least_as_good_as_logistic_regression(
    taxi_run: Result, splits: dict[str, Rows]
) -> None:
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss, roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frames = {name: pd.DataFrame(rows)[COLUMNS] for name, rows in splits.items()}
    labels = {name: [label(row) for row in rows] for name, rows in splits.items()}
    numbers = [name for name in COLUMNS if name not in TEXT]
    model = make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
            (OneHotEncoder(handle_unknown="ignore"), list(TEXT)),
        ),
        LogisticRegression(max_iter=1000),
    )
    model.fit(frames["train"], labels["train"])
    probability = model.predict_proba(frames["eval"])[:, 1]
    candidate = taxi_run.report["candidate"]
    assert candidate["auc"] >= roc_auc_score(labels["eval"], probability)
    assert candidate["log_loss"] <= log_loss(labels["eval"], probability)


def test_class_names_are_answered(taxi_run: Result, splits: dict[str, Rows]) -> None:
    import tensorflow as tf

    model = tf.saved_model.load(taxi_run.report["pushed_to"])
    rows = tf.constant([row["serialized"] for row in splits["eval"][:50]])
    answers = model.signatures["serving_default"](examples=rows)
    assert set(answers["label"].numpy()) <= {b"small_tip", b"big_tip"}
    np.testing.assert_allclose(answers["scores"].numpy().sum(axis=1), 1, atol=1e-5)


def test_slices_are_evaluated(taxi_run: Result) -> None:
    import tfx  # noqa: F401, I001
    import tensorflow_model_analysis as tfma

    [execution] = taxi_run.executions("taxi", "Evaluator")
    evaluation = execution.output("evaluation")
    assert evaluation is not None
    keys = {
        part.column
        for record in tfma.load_metrics(evaluation.uri)
        for part in record.slice_key.single_slice_keys
    }
    assert "payment_type" in keys


def test_pushed_model_is_live_and_carries_what_a_server_and_a_reader_want(taxi_run: Result) -> None:
    base = taxi_run.root / "serving" / "taxi"
    served = read_config(config_of(base))["taxi"]
    assert (served.base, served.versions, served.labels) == (base, (1,), {"stable": 1})
    assert taxi_run.report["labels"] == {"stable": 1}
    assert "labels    stable is version 1" in taxi_run.stdout
    [version] = versions(base)
    assert verify(version) == []
    extra = {path.name for path in (version.path / "assets.extra").iterdir()}
    assert extra >= {"model_card.md", "model_card.html", "tf_serving_warmup_requests"}
    origin = version.properties
    assert json.loads(origin["metrics"]) == pytest.approx(taxi_run.report["candidate"])
    [examples] = taxi_run.executions("taxi", "ExampleGen")[0].outputs["examples"]
    assert origin["data"] == examples.properties["input_fingerprint"]
    assert Path(origin["evaluation"]).is_dir()
    assert origin["metadata"] == str(taxi_run.root / "metadata.db")
    assert {"run", "code", "config", "model"} <= origin.keys()
    [change] = open_store(taxi_run.root / "metadata.db").get_executions_by_type(EXECUTION_TYPE)
    assert change.properties["action"].string_value == "push"


def test_nothing_is_left_running_or_half_written(taxi_run: Result) -> None:
    names = {path.name for path in (taxi_run.root / "serving" / "taxi").iterdir()}
    assert [name for name in names if name.isdigit()] == ["1"]
    assert not [name for name in names if name.startswith(".tmp")]


def test_the_same_command_again_does_nothing(run_local: Command, taxi_run: Result) -> None:
    before = taxi_run.executions("taxi", "Pusher")
    again = run_local(taxi_run.root)
    assert again.exit_code == 0
    assert "nothing to do" in again.stdout
    assert again.ran == set()
    assert again.report["pushed_to"] == taxi_run.report["pushed_to"]
    assert again.executions("taxi", "Pusher") == before


def test_another_root_gives_the_same_model(
    run_local: Command, taxi_run: Result, tmp_path: Path
) -> None:
    other = run_local(tmp_path / "root")
    assert other.exit_code == 0
    assert other.report["candidate"] == pytest.approx(taxi_run.report["candidate"], rel=1e-6)

"""Runs the real gate on real statistics of small tables: TFDV's, computed in memory."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from components.errors import DataRejected
from components.features import DataSpec, Feature, Label

Row = dict[str, Any]

SCHEMA = """
feature { name: "amount" type: FLOAT value_count { min: 1 max: 1 }
  presence { min_fraction: 1.0 min_count: 1 } float_domain { min: 0.0 max: 1000.0 } }
feature { name: "visits" type: INT value_count { min: 1 max: 1 }
  presence { min_fraction: 0.9 min_count: 1 } int_domain { min: 0 max: 20 } }
feature { name: "city" type: BYTES value_count { min: 1 max: 1 }
  presence { min_fraction: 1.0 min_count: 1 } domain: "city" }
feature { name: "note" type: BYTES value_count { min: 1 max: 1 } }
feature { name: "rate" type: FLOAT value_count { min: 1 max: 1 } }
feature { name: "y" type: BYTES value_count { min: 1 max: 1 } not_in_environment: "SERVING" }
string_domain { name: "city" value: "Kyiv" value: "Oslo" value: "Rome" }
default_environment: "TRAINING"
default_environment: "SERVING"
"""
SPEC = DataSpec(
    features=(
        Feature(name="amount", kind="numeric", dtype="float"),
        Feature(name="visits", kind="numeric", dtype="int"),
        Feature(name="city", kind="categorical", dtype="bytes"),
        Feature(name="note", kind="categorical", dtype="bytes"),
        Feature(name="rate", kind="numeric", dtype="float"),
    ),
    label=Label(column="y", dtype="bytes", problem="binary", classes=("no", "yes")),
)


def table(num_rows: int, seed: int) -> list[Row]:
    """Rows in which nothing is wrong: the label does not follow from any column."""
    rng = random.Random(seed)
    return [
        {
            "amount": round(rng.uniform(1, 999), 3),
            "visits": rng.randint(1, 9),
            "city": rng.choice(["Kyiv", "Oslo", "Rome"]),
            "note": rng.choice(["late", "early", "on time"]),
            "rate": round(rng.gauss(0, 1), 4),
            "y": rng.choice(["no", "yes"]),
        }
        for _ in range(num_rows)
    ]


@dataclasses.dataclass(frozen=True)
class Gated:
    """What the gate did: the refusal, if any, and the report."""

    refusal: str
    findings: list[dict[str, Any]]
    report: dict[str, Any]
    properties: dict[str, Any]

    def of(self, rule: str) -> list[dict[str, Any]]:
        """The findings of one rule."""
        return [finding for finding in self.findings if finding["rule"] == rule]


def serialize(rows: Sequence[Row]) -> list[bytes]:
    """tf.Examples; None is a missing value, a list several."""
    import tensorflow as tf

    records = []
    for row in rows:
        example = tf.train.Example()
        for name, value in row.items():
            if value is None:
                continue
            feature = example.features.feature[name]
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, int):
                    feature.int64_list.value.append(item)
                elif isinstance(item, float):
                    feature.float_list.value.append(item)
                else:
                    text = item if isinstance(item, bytes) else item.encode()
                    feature.bytes_list.value.append(text)
        records.append(example.SerializeToString(deterministic=True))
    return records


def write_records(path: Path, records: Sequence[bytes]) -> None:
    """A gzipped TFRecord file."""
    import tensorflow as tf

    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions("GZIP")) as writer:
        for record in records:
            writer.write(record)


@pytest.fixture(scope="session")
def libraries() -> None:
    """Imports TFX first: TFDV 1.16 needs a module that only tfx puts in place."""
    import tfx  # noqa: F401


@pytest.fixture
def statistics(libraries: None) -> Callable[[Sequence[Row]], Any]:
    """Real statistics of rows."""

    def compute(rows: Sequence[Row]) -> Any:
        import tensorflow_data_validation as tfdv
        from tensorflow_data_validation.statistics import stats_impl
        from tfx_bsl.coders import example_coder

        batch = example_coder.ExamplesToRecordBatchDecoder().DecodeBatch(serialize(rows))
        return stats_impl.generate_statistics_in_memory(batch, tfdv.StatsOptions())

    return compute


@pytest.fixture
def gate(tmp_path: Path, statistics: Callable[[Sequence[Row]], Any]) -> Callable[..., Gated]:
    """Runs ExampleValidator's executor and DataGate on two splits of rows."""

    def run(
        train: Sequence[Row] | None = None,
        evaluated: Sequence[Row] | None = None,
        *,
        schema: str = SCHEMA,
        spec: DataSpec = SPEC,
        accepted: Sequence[Row] | None = None,
        is_drift_on: bool = False,
        **settings: Any,
    ) -> Gated:
        splits = {
            "train": table(200, 1) if train is None else train,
            "eval": table(100, 2) if evaluated is None else evaluated,
        }
        return _run(tmp_path, splits, statistics, schema, spec, accepted, is_drift_on, settings)

    return run


def _run(
    root: Path,
    splits: Mapping[str, Sequence[Row]],
    statistics: Callable[[Sequence[Row]], Any],
    schema: str,
    spec: DataSpec,
    accepted: Sequence[Row] | None,
    is_drift_on: bool,
    settings: Mapping[str, Any],
) -> Gated:
    from tfx.types import artifact_utils, standard_artifacts

    from components.validation.artifacts import DataBlessing
    from components.validation.data_gate import DataGate
    from components.validation.executor import Executor
    from components.validation.settings import ValidationSettings

    def artifact(kind: Any, name: str, *, names: bool = True) -> Any:
        made = kind()
        made.uri = str(root / name)
        if names:
            made.split_names = artifact_utils.encode_split_names(list(splits))
        return made

    def write_statistics(name: str, rows: Mapping[str, Sequence[Row]]) -> None:
        for split, items in rows.items():
            path = root / name / f"Split-{split}" / "FeatureStats.pb"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(statistics(items).SerializeToString())

    for split, rows in splits.items():
        write_records(root / "examples" / f"Split-{split}" / "part.gz", serialize(rows))
    write_statistics("statistics", splits)
    (root / "schema").mkdir(exist_ok=True)
    (root / "schema" / "schema.pbtxt").write_text(schema)
    described = artifact(standard_artifacts.ExampleStatistics, "statistics")
    inputs = {
        "statistics": [described],
        "schema": [artifact(standard_artifacts.Schema, "schema", names=False)],
    }
    anomalies = artifact(standard_artifacts.ExampleAnomalies, "anomalies")
    Executor().Do(inputs, {"anomalies": [anomalies]}, {})
    before = None
    if accepted is not None:
        write_statistics("accepted", {"train": accepted, "eval": accepted})
        before = artifact(standard_artifacts.ExampleStatistics, "accepted")
    blessing = artifact(DataBlessing, "blessing", names=False)
    try:
        DataGate.test_call(
            examples=artifact(standard_artifacts.Examples, "examples"),
            statistics=described,
            schema=inputs["schema"][0],
            anomalies=anomalies,
            blessing=blessing,
            data="visits.csv",
            data_spec=spec.model_dump_json(),
            settings=ValidationSettings(
                **{"schema_path": "schema.pbtxt", **settings}
            ).model_dump_json(),
            drift=is_drift_on,
            accepted_statistics=before,
        )
    except DataRejected as error:
        return Gated(str(error), [dict(item) for item in error.findings], {}, {})
    report = json.loads((root / "blessing" / "report.json").read_text())
    properties = {
        name: blessing.get_custom_property(name)
        for name in ("num_warnings", "warnings", "rules", "notes", "statistics_id")
    }
    return Gated("", report["findings"], report, properties)

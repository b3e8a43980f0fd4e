"""The transform graph, analyzed by real Beam over a handful of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.features import CATEGORICAL, LABEL, NUMERIC, DataSpec, Feature, Label, num_ids
from components.transform.settings import TransformSettings

Rows = list[dict[str, Any]]
Apply = Callable[[Rows], Mapping[str, np.ndarray]]

SPEC = DataSpec(
    features=(
        Feature(name="miles", kind="numeric", dtype="float", buckets=4),
        Feature(name="seats", kind="numeric", dtype="int"),
        Feature(name="town", kind="categorical", dtype="bytes"),
        Feature(name="hour", kind="categorical", dtype="int"),
    ),
    label=Label(column="kind", dtype="bytes", problem="multiclass", classes=("a", "b", "c")),
)
TRAIN: Rows = [
    {
        "miles": float(index),
        "seats": index % 3 + 1,
        "town": "Rome" if index % 2 else "Oslo",
        "hour": index % 4,
        "kind": "abc"[index % 3],
    }
    for index in range(40)
] + [{"miles": 5.0, "seats": 2, "town": "Once", "hour": 1, "kind": "a"}]


@pytest.fixture(scope="module")
def apply(tmp_path_factory: pytest.TempPathFactory) -> Apply:
    return analyze(SPEC, TRAIN, tmp_path_factory.mktemp("transform"))


def analyze(spec: DataSpec, rows: Rows, folder: Path) -> Apply:
    import tfx  # noqa: F401, I001 - puts a module in place that the next imports need
    import apache_beam as beam
    import tensorflow as tf
    import tensorflow_transform as tft
    import tensorflow_transform.beam as tft_beam
    from tensorflow_transform.tf_metadata import schema_utils
    from tfx_bsl.public import tfxio

    from components.transform.preprocessing import preprocessing_fn

    types = {"float": tf.float32, "int": tf.int64, "bytes": tf.string}
    columns = {feature.name: feature.dtype for feature in spec.features}
    columns[spec.label.column] = spec.label.dtype
    feature_spec = {name: tf.io.VarLenFeature(types[kind]) for name, kind in columns.items()}

    def serialize(row: dict[str, Any]) -> bytes:
        example = tf.train.Example()
        for name, kind in columns.items():
            value = row.get(name)
            if value is not None:
                _put(example.features.feature[name], kind, value)
        return example.SerializeToString()

    # Not the shorter way, by dicts: its coder crashes the interpreter when that ends.
    source = tfxio.TFExampleBeamRecord(
        "inmem", schema=schema_utils.schema_from_feature_spec(feature_spec)
    )
    config = {
        "data_spec": spec.model_dump_json(),
        "settings": TransformSettings().model_dump_json(),
    }
    with beam.Pipeline(runner="FnApiRunner") as pipeline, tft_beam.Context(str(folder / "tmp")):
        batches = pipeline | beam.Create([serialize(row) for row in rows]) | source.BeamSource()
        graph = (batches, source.TensorAdapterConfig()) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing_fn(inputs, config)
        )
        _ = graph | tft_beam.WriteTransformFn(str(folder / "graph"))
    output = tft.TFTransformOutput(str(folder / "graph"))

    def transform(asked: Rows) -> Mapping[str, np.ndarray]:
        raw = tf.io.parse_example([serialize(row) for row in asked], feature_spec)
        found = output.transform_raw_features(raw)
        return {name: tensor.numpy() for name, tensor in found.items()}

    transform.vocabulary_size = output.vocabulary_size_by_name("vocabulary")  # type: ignore[attr-defined]
    return transform


def _put(feature: Any, kind: str, value: Any) -> None:
    if kind == "bytes":
        feature.bytes_list.value.append(value.encode())
    elif kind == "int":
        feature.int64_list.value.append(value)
    else:
        feature.float_list.value.append(value)


def test_numbers_are_scaled_to_mean_zero_and_deviation_one(apply: Apply) -> None:
    miles = apply(TRAIN)[NUMERIC][:, 0]
    assert miles.mean() == pytest.approx(0, abs=1e-5)
    assert miles.std() == pytest.approx(1, abs=1e-5)


def test_a_missing_number_is_the_mean_and_is_flagged(apply: Apply) -> None:
    found = apply([{"town": "Rome"}, {"seats": 1}])[NUMERIC]
    # miles has buckets, whose first id says missing; seats has none, so a flag follows.
    np.testing.assert_array_equal(found[0], [0, 0, 1])
    assert found[1][2] == 0


def test_an_extreme_number_is_clipped(apply: Apply) -> None:
    found = apply([{"miles": 1e30, "seats": 1}])[NUMERIC]
    assert np.isfinite(found).all()
    assert found[0][0] == 10


def test_ids_of_columns_never_overlap_and_stay_in_the_table(apply: Apply) -> None:
    odd: Rows = [{}, {"town": "Atlantis", "hour": -7, "miles": -1e9, "seats": 10**12}]
    found = apply(TRAIN + odd)[CATEGORICAL]
    seen = [set(found[:, slot]) for slot in range(found.shape[1])]
    assert len(set.union(*seen)) == sum(len(ids) for ids in seen)
    size = apply.vocabulary_size  # type: ignore[attr-defined]
    assert found.min() >= 0
    assert found.max() < num_ids(SPEC, size)


def test_the_last_id_of_the_table_is_the_last_bucket(apply: Apply) -> None:
    found = apply([{"miles": 1e9}])[CATEGORICAL]
    assert found[0][-1] == num_ids(SPEC, apply.vocabulary_size) - 1  # type: ignore[attr-defined]


def test_unseen_values_share_the_id_that_rare_values_trained(apply: Apply) -> None:
    found = apply([{"town": "Atlantis"}, {"town": "Once"}, {"town": "Rome"}])[CATEGORICAL][:, 0]
    assert found[0] == found[1] != found[2]


def test_an_unseen_value_of_one_column_differs_from_that_of_another(apply: Apply) -> None:
    found = apply([{"town": "Atlantis", "hour": 99}])[CATEGORICAL]
    assert found[0][0] != found[0][1]


def test_buckets_are_ordered_and_start_after_the_missing_id(apply: Apply) -> None:
    found = apply([{}, {"miles": -5.0}, {"miles": 15.0}, {"miles": 99.0}])[CATEGORICAL][:, -1]
    assert list(np.diff(found) > 0) == [True, True, True]


def test_class_labels_are_their_index(apply: Apply) -> None:
    assert apply([{"kind": name} for name in "cab"])[LABEL].tolist() == [2, 0, 1]


def test_an_unknown_or_missing_class_is_minus_one(apply: Apply) -> None:
    assert apply([{"kind": "z"}, {}])[LABEL].tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("tips", "fare", "expected"),
    [(2.1, 10.0, 1), (2.0, 10.0, 0), (5.0, 0.0, 0), (5.0, None, 0), (None, 10.0, 0)],
)
def test_a_ratio_label_needs_a_positive_denominator(
    tips: float | None, fare: float | None, expected: int
) -> None:
    import tensorflow as tf

    from components.transform.preprocessing import make_label

    label = Label(
        column="tips",
        dtype="float",
        problem="binary",
        classes=("small", "big"),
        ratio_to="fare",
        above=0.2,
    )

    def column(value: float | None) -> tf.SparseTensor:
        count = 0 if value is None else 1
        return tf.SparseTensor(
            np.zeros([count, 2], np.int64), [value][:count] if count else np.zeros(0, "f4"), [1, 1]
        )

    made = make_label({"tips": column(tips), "fare": column(fare)}, label)
    assert made.numpy().tolist() == [expected]


@pytest.mark.parametrize(("dtype", "classes"), [("int", ("3", "10")), ("float", ("3.0", "10.0"))])
def test_number_classes_are_matched_by_value(dtype: str, classes: tuple[str, ...]) -> None:
    import tensorflow as tf

    from components.transform.preprocessing import make_label

    label = Label(column="y", dtype=dtype, problem="binary", classes=classes)  # type: ignore[arg-type]
    values = tf.constant([10, 3, 3], tf.int64 if dtype == "int" else tf.float32)
    assert make_label({"y": values}, label).numpy().tolist() == [1, 0, 0]

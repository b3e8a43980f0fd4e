"""Analyzes a handful of rows by real Beam and gives the transform graph back as a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from components.features import DataSpec
from components.transform.settings import TransformSettings

Rows = list[dict[str, Any]]
Apply = Callable[[Rows], Mapping[str, np.ndarray]]


def analyze(
    spec: DataSpec, rows: Rows, folder: Path, settings: TransformSettings | None = None
) -> Apply:
    """The transform graph of `rows`, as a function of rows."""
    settings = settings or TransformSettings()
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
    if spec.weight is not None:
        columns[spec.weight] = "float"
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
        "settings": settings.model_dump_json(),
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

    transform.output = output  # type: ignore[attr-defined]
    return transform


def _put(feature: Any, kind: str, value: Any) -> None:
    values = value if isinstance(value, list) else [value]
    if kind == "bytes":
        feature.bytes_list.value.extend(v.encode() if isinstance(v, str) else v for v in values)
    elif kind == "int":
        feature.int64_list.value.extend(values)
    else:
        feature.float_list.value.extend(values)

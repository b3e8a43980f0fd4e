"""A transform graph made by TensorFlow Transform, examples, and models that embed the graph."""

from __future__ import annotations

from pathlib import Path

import apache_beam as beam
import pytest
import tensorflow as tf
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from components.features import Problem
from tests.unit.components.serving_check.models import (
    RAW_SPEC,
    MakeModel,
    ServeFn,
    Tensors,
    TinyModel,
    make_row,
    preprocess,
    serialize,
)


@pytest.fixture(scope="session")
def transform_graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a TransformGraph artifact."""
    folder = tmp_path_factory.mktemp("transform")
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(RAW_SPEC))
    rows = [make_row(i) for i in range(60)]
    with (
        beam.Pipeline("FnApiRunner") as pipeline,
        tft_beam.Context(temp_dir=str(tmp_path_factory.mktemp("beam"))),
    ):
        data = pipeline | beam.Create(rows)
        transform_fn = (data, metadata) | tft_beam.AnalyzeDataset(preprocess)
        _ = transform_fn | tft_beam.WriteTransformFn(str(folder))
        _ = metadata | tft_beam.WriteMetadata(str(folder / "metadata"), pipeline)
    return folder


@pytest.fixture(scope="session")
def eval_split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an Examples artifact's split `eval`: 40 rows, labels included."""
    folder = tmp_path_factory.mktemp("examples") / "Split-eval"
    folder.mkdir()
    path = folder / "data_tfrecord-00000-of-00001.gz"
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for i in range(40):
            writer.write(serialize(make_row(i)))
    return folder


def _unchanged(tensors: Tensors) -> Tensors:
    return tensors


@pytest.fixture(scope="session")
def make_model(transform_graph: Path, tmp_path_factory: pytest.TempPathFactory) -> MakeModel:
    """Exports a model with the pipeline's four signatures, or with something wrong in it.

    `on_raw` changes the columns of a request, `on_columns` those that came as columns only,
    `on_outputs` what is answered, and `without` names a signature to leave out.
    """

    def make(
        name: str,
        *,
        problem: Problem = "binary",
        on_raw: ServeFn = _unchanged,
        on_outputs: ServeFn = _unchanged,
        on_columns: ServeFn = _unchanged,
        without: str = "",
    ) -> Path:
        folder = tmp_path_factory.mktemp(name) / "Format-Serving"
        model = TinyModel(transform_graph, problem, on_raw, on_outputs, on_columns)
        signatures = {
            "serving_default": model.serve,
            "serving_raw": model.serve_raw,
            "transform_features": model.transform,
            "score_transformed": model.score,
        }
        signatures.pop(without, None)
        tf.saved_model.save(model, str(folder), signatures=signatures)
        return folder

    return make

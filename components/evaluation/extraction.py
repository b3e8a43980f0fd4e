"""Asks both models about the eval split, with TFMA's extractors, as a Beam pipeline."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components.util import tfxio_utils
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils
from tfx_bsl.tfxio import tensor_adapter

from components.errors import NodeFailed
from components.evaluation.eval_config import PREDICTION_KEYS, make_eval_config
from components.evaluation.extracts import to_scores, to_table
from components.evaluation.measure import BASELINE
from components.evaluation.scores import Scores
from components.evaluation.settings import EvaluationSettings
from components.features import DataSpec

SPLIT = "eval"
_UNBATCH = "ExtractUnbatchedInputs"
_NO_ROWS = (
    "The eval split has no row with a known label, so nothing can be said of the model. Give it a "
    "larger share of the rows with data.splits, or add rows."
)

MakePipeline = Callable[[], beam.Pipeline]


def ask(
    models: Mapping[str, str],
    *,
    examples: Sequence[Artifact],
    schema: schema_pb2.Schema,
    spec: DataSpec,
    settings: EvaluationSettings,
    make_pipeline: MakePipeline,
    scratch: Path,
) -> Scores:
    """What each model answers to every row of the eval split.

    Args:
        models: the folder of the SavedModel of `candidate` and, if there is one, of `baseline`.
        examples: the artifacts with the eval split.
        schema: of the examples.
        spec: the columns and the label.
        settings: the columns to slice by.
        make_pipeline: makes the Beam pipeline.
        scratch: a folder for what the workers give back; every worker must reach it. It is removed.

    Raises:
        NodeFailed: there is no row.
    """
    columns = list(dict.fromkeys(name for group in settings.groups for name in group))
    try:
        with make_pipeline() as pipeline:
            _ = (
                _extracts(pipeline, models, examples, schema, spec, settings)
                | "Take"
                >> beam.Map(
                    _serialized,
                    models=tuple(models),
                    prediction_key=PREDICTION_KEYS[spec.label.problem],
                    classes=spec.label.classes,
                    columns=columns,
                )
                | "Write" >> beam.io.WriteToTFRecord(str(scratch / "rows"))
            )
        table = _read(scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    scores = to_scores(
        table,
        is_regression=spec.label.problem == "regression",
        is_weighted=spec.weight is not None,
        columns=columns,
    )
    if not len(scores):
        raise NodeFailed(_NO_ROWS)
    return scores


def _extracts(
    pipeline: beam.Pipeline,
    models: Mapping[str, str],
    examples: Sequence[Artifact],
    schema: schema_pb2.Schema,
    spec: DataSpec,
    settings: EvaluationSettings,
) -> beam.PCollection:
    """Batches of features, labels, weights and predictions."""
    config = make_eval_config(spec, settings, has_baseline=BASELINE in models)
    shared = [
        tfma.default_eval_shared_model(
            eval_saved_model_path=path, model_name=name, eval_config=config
        )
        for name, path in models.items()
    ]
    make_source = tfxio_utils.get_tfxio_factory_from_artifact(
        examples=list(examples),
        telemetry_descriptors=["waybill", "Evaluator"],
        schema=schema,
        raw_record_column_name=tfma.constants.ARROW_INPUT_COLUMN,
    )
    uris = artifact_utils.get_split_uris(list(examples), SPLIT)
    sources = [make_source(io_utils.all_files_pattern(uri)) for uri in uris]
    batches = [pipeline | f"Read[{at}]" >> source.BeamSource() for at, source in enumerate(sources)]
    extractors = tfma.default_extractors(
        eval_shared_model=shared if len(shared) > 1 else shared[0],
        eval_config=config,
        tensor_adapter_config=tensor_adapter.TensorAdapterConfig(
            arrow_schema=sources[0].ArrowSchema(),
            tensor_representations=sources[0].TensorRepresentations(),
        ),
    )
    extracts = batches | beam.Flatten() | tfma.BatchedInputsToExtracts()
    for extractor in extractors:
        # From here on TFMA takes rows one by one, which bounds what it can do in a second.
        if extractor.stage_name == _UNBATCH:
            break
        extracts = extracts | extractor.stage_name >> extractor.ptransform
    return extracts


def _serialized(extracts: Mapping[str, Any], **options: Any) -> bytes:
    table = to_table(extracts, **options)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _read(folder: Path) -> pa.Table:
    files = sorted(str(path) for path in folder.glob("rows-*"))
    parts = [
        pa.ipc.open_stream(record.numpy()).read_all() for record in tf.data.TFRecordDataset(files)
    ]
    if not parts:
        raise NodeFailed(_NO_ROWS)
    return pa.concat_tables(parts)

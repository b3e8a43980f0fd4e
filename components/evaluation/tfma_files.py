"""Leaves the metrics in TFMA's own files too, so that `tfma.load_metrics` and its views read them.

Beside the evaluation's own file lie `metrics`, `plots`, `validations` and `eval_config.json`, as
TFMA writes them.
"""

from __future__ import annotations

import math
from pathlib import Path

import tensorflow as tf
import tensorflow_model_analysis as tfma
from google.protobuf import json_format
from tensorflow_model_analysis.proto import (
    config_pb2,
    metrics_for_slice_pb2,
    validation_result_pb2,
)

from components.evaluation.eval_config import make_eval_config
from components.evaluation.evaluating import Evaluation
from components.evaluation.measure import BASELINE, CANDIDATE
from components.evaluation.results import Estimate, SliceResult
from components.evaluation.settings import EvaluationSettings
from components.features import DataSpec

_SUFFIX = "-00000-of-00001.tfrecord"


def write_tfma_files(
    folder: Path, found: Evaluation, *, spec: DataSpec, settings: EvaluationSettings
) -> None:
    """Writes the files.

    Args:
        folder: of the evaluation.
        found: all that was found out.
        spec: the columns and the label.
        settings: the slices, and the level of the intervals.
    """
    level, has_baseline = settings.confidence.level, BASELINE in found.models
    metrics = [_metrics_of(item, level).SerializeToString() for item in found.slices]
    validation = validation_result_pb2.ValidationResult(
        validation_ok=found.decision.blessed, rubber_stamp=not has_baseline
    )
    for name, records in (
        (tfma.constants.METRICS_KEY, metrics),
        (tfma.constants.PLOTS_KEY, []),
        (tfma.constants.VALIDATIONS_KEY, [validation.SerializeToString()]),
    ):
        with tf.io.TFRecordWriter(str(folder / f"{name}{_SUFFIX}")) as writer:
            for record in records:
                writer.write(record)
    run = config_pb2.EvalRun(
        eval_config=make_eval_config(spec, settings, has_baseline=has_baseline),
        version=tfma.VERSION_STRING,
        model_locations=dict(found.models),
    )
    (folder / "eval_config.json").write_text(json_format.MessageToJson(run), encoding="utf-8")


def _metrics_of(found: SliceResult, level: float) -> metrics_for_slice_pb2.MetricsForSlice:
    message = metrics_for_slice_pb2.MetricsForSlice()
    for column, value in found.key.items():
        message.slice_key.single_slice_keys.add(column=column, bytes_value=value.encode())
    # TFMA names no model where there is only one.
    candidate = CANDIDATE if found.baseline is not None else ""
    item = message.metric_keys_and_values.add()
    item.key.name, item.key.model_name = "example_count", candidate
    item.value.double_value.value = found.num_examples
    for model, is_diff, estimates in (
        (candidate, False, found.candidate),
        (BASELINE, False, found.baseline or {}),
        (candidate, True, found.change or {}),
    ):
        for name, estimate in estimates.items():
            item = message.metric_keys_and_values.add()
            item.key.name, item.key.model_name, item.key.is_diff = name, model, is_diff
            _fill(item, estimate, level)
    return message


def _fill(item: metrics_for_slice_pb2.MetricKeyAndValue, value: Estimate, level: float) -> None:
    item.value.double_value.value = value.value
    low, high = value.interval(level)
    if not math.isnan(low):
        interval = item.confidence_interval
        interval.lower_bound.double_value.value = low
        interval.upper_bound.double_value.value = high
        interval.standard_error.double_value.value = value.error

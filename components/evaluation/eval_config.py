"""Turns our settings into a tfma.EvalConfig.

Source: https://www.tensorflow.org/tfx/model_analysis/setup
"""

from __future__ import annotations

from tensorflow_model_analysis.proto import config_pb2

from components.errors import ConfigError, nearest
from components.evaluation.settings import METRICS, EvaluationSettings, Threshold
from components.features import LABEL, DataSpec

# The output of `serving_default` that TFMA compares with the label.
PREDICTION_KEYS = {"binary": "probability", "multiclass": "scores", "regression": "prediction"}


def make_eval_config(spec: DataSpec, settings: EvaluationSettings) -> config_pb2.EvalConfig:
    """Builds the EvalConfig of the candidate and its baseline.

    Args:
        spec: the label's problem decides the metrics; slices must be among its columns.
        settings: slices and thresholds.

    Raises:
        ConfigError: a threshold names a metric that the problem does not have.
    """
    problem = spec.label.problem
    metrics = METRICS[problem]
    for name in settings.thresholds:
        if name not in metrics:
            raise ConfigError(
                f"evaluation.thresholds.{name}: a {problem} model has no such metric. "
                f"It has: {', '.join(metrics)}.{nearest(name, metrics)}"
            )
    config = config_pb2.EvalConfig()
    for is_baseline in (False, True):
        config.model_specs.add(
            name="baseline" if is_baseline else "candidate",
            is_baseline=is_baseline,
            signature_name="serving_default",
            preprocessing_function_names=["transform_features"],
            label_key=LABEL,
            prediction_key=PREDICTION_KEYS[problem],
        )
    config.slicing_specs.add()
    for columns in settings.slices:
        config.slicing_specs.add(feature_keys=columns)
    metrics_spec = config.metrics_specs.add()
    metrics_spec.metrics.add(class_name="ExampleCount")
    for name, (class_name, higher_is_better) in metrics.items():
        metric = metrics_spec.metrics.add(class_name=class_name, config=f'"name": "{name}"')
        threshold = settings.thresholds.get(name)
        if threshold is not None:
            # `metric.threshold` would hold for every slice, however few examples it has.
            metric.per_slice_thresholds.add(
                slicing_specs=[config_pb2.SlicingSpec()],
                threshold=_bounds(threshold, higher_is_better=higher_is_better),
            )
    return config


def _bounds(threshold: Threshold, *, higher_is_better: bool) -> config_pb2.MetricThreshold:
    target = config_pb2.MetricThreshold()
    if threshold.min is not None:
        target.value_threshold.lower_bound.value = threshold.min
    if threshold.max is not None:
        target.value_threshold.upper_bound.value = threshold.max
    if threshold.max_loss is not None:
        change = target.change_threshold
        direction = "HIGHER_IS_BETTER" if higher_is_better else "LOWER_IS_BETTER"
        change.direction = config_pb2.MetricDirection.Value(direction)
        # TFMA's sign: the smallest gain, or the largest rise, that still passes.
        change.absolute.value = -threshold.max_loss if higher_is_better else threshold.max_loss
    return target

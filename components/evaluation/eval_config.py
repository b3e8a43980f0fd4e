"""Turns our settings into a tfma.EvalConfig: what TFMA reads, asks the models, and slices by.

Source: https://www.tensorflow.org/tfx/model_analysis/setup
"""

from __future__ import annotations

from tensorflow_model_analysis.proto import config_pb2

from components.evaluation.measure import BASELINE, CANDIDATE
from components.evaluation.settings import EvaluationSettings
from components.features import LABEL, WEIGHT, DataSpec, Problem

# The output of `serving_default` that is compared with the label.
PREDICTION_KEYS: dict[Problem, str] = {
    "binary": "probability",
    "multiclass": "scores",
    "regression": "prediction",
}


def make_eval_config(
    spec: DataSpec, settings: EvaluationSettings, *, has_baseline: bool = True
) -> config_pb2.EvalConfig:
    """Builds the EvalConfig of the candidate and, if there is one, its baseline.

    Labels and weights are those that the candidate's transform graph makes. Metrics and thresholds
    are not in it: see `measure` and `decide`.

    Args:
        spec: the label's problem decides which output is looked at.
        settings: the slices.
        has_baseline: whether there are two models.
    """
    config = config_pb2.EvalConfig()
    key = PREDICTION_KEYS[spec.label.problem]
    candidate = config.model_specs.add(
        name=CANDIDATE,
        signature_name="serving_default",
        preprocessing_function_names=["transform_features"],
        label_key=LABEL,
        prediction_key=key,
    )
    if spec.weight is not None:
        candidate.example_weight_key = WEIGHT
    if has_baseline:
        config.model_specs.add(
            name=BASELINE, is_baseline=True, signature_name="serving_default", prediction_key=key
        )
    config.slicing_specs.add()
    for columns in settings.groups:
        config.slicing_specs.add(feature_keys=columns)
    return config

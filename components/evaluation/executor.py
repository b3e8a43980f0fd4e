"""The Evaluator's executor: TFX's own, which then says in words what it decided."""

from __future__ import annotations

import json
from typing import Any

import tensorflow_model_analysis as tfma
from tfx.components.evaluator import executor as tfx_executor
from tfx.types import Artifact, artifact_utils

Metrics = dict[str, float]


class Executor(tfx_executor.Executor):
    """Runs TFMA; records the metrics on the evaluation and the reason on the blessing.

    So a summary, a report or a lineage query needs no TensorFlow to read them.
    """

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates the candidate, and the baseline where there is one.

        Args:
            input_dict: `examples`, `model`, `baseline_model`, `schema`.
            output_dict: `evaluation` and `blessing`.
            exec_properties: `eval_config` and TFX's own.
        """
        super().Do(input_dict, output_dict, exec_properties)
        evaluation = artifact_utils.get_single_instance(output_dict["evaluation"])
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        for model, metrics in overall_metrics(evaluation.uri).items():
            evaluation.set_string_custom_property(f"{model}_metrics", json.dumps(metrics))
        blessing.set_string_custom_property("reason", reason(evaluation.uri))


def overall_metrics(evaluation_uri: str) -> dict[str, Metrics]:
    """The metrics over all examples by model, `candidate` and, where there is one, `baseline`."""
    found: dict[str, Metrics] = {}
    for record in tfma.load_metrics(evaluation_uri):
        if record.slice_key.single_slice_keys:
            continue
        for item in record.metric_keys_and_values:
            # TFMA names no model when it evaluates only one.
            model = item.key.model_name or "candidate"
            if not item.key.is_diff and item.value.WhichOneof("type") == "double_value":
                found.setdefault(model, {})[item.key.name] = item.value.double_value.value
    return found


def reason(evaluation_uri: str) -> str:
    """Why the model was or was not blessed, in one line a failed threshold."""
    validation = tfma.load_validation_result(evaluation_uri)
    if validation.validation_ok:
        return "every threshold was met"
    lines = []
    for failed_slice in validation.metric_validations_per_slice:
        key = failed_slice.slice_key
        name = ", ".join(_slice_text(part) for part in key.single_slice_keys) or "all examples"
        for failure in failed_slice.failures:
            lines.append(f"{failure.metric_key.name} on {name}: {_failure_text(failure)}")
    if validation.missing_slices:
        lines.append("a slice with a threshold has no examples")
    return "; ".join(lines) or "the evaluation gave no result"


def _slice_text(part: Any) -> str:
    kind = part.WhichOneof("kind")
    value = getattr(part, kind) if kind else ""
    return f"{part.column}={value.decode() if isinstance(value, bytes) else value}"


def _failure_text(failure: Any) -> str:
    value = failure.metric_value.double_value.value
    threshold = failure.metric_threshold
    bounds = threshold.value_threshold
    change = threshold.change_threshold
    texts = [failure.message] if failure.message else []
    if bounds.HasField("lower_bound") and not value >= bounds.lower_bound.value:
        texts.append(f"{value:.4g} is below {bounds.lower_bound.value:g}")
    if bounds.HasField("upper_bound") and not value <= bounds.upper_bound.value:
        texts.append(f"{value:.4g} is above {bounds.upper_bound.value:g}")
    if failure.metric_key.is_diff and change.HasField("absolute"):
        texts.append(
            f"changed by {value:+.4g} against the baseline, "
            f"more than {abs(change.absolute.value):g} for the worse"
        )
    return ", ".join(texts)

"""Builds the nodes that pick the baseline and evaluate the candidate."""

from __future__ import annotations

from pathlib import Path

import tensorflow_model_analysis as tfma
from tfx import types
from tfx.dsl.components.base import base_beam_component
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.dsl.components.common.resolver import Resolver
from tfx.types import standard_artifacts
from tfx.types import standard_component_specs as specs
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ExecutionParameter

from components.evaluation import baseline
from components.evaluation.eval_config import make_eval_config
from components.evaluation.executor import DATA_SPEC, SERVED, SETTINGS, Executor
from components.evaluation.settings import EvaluationSettings
from components.features import DataSpec


class EvaluatorSpec(specs.EvaluatorSpec):
    """TFX's own, with our settings beside TFMA's."""

    PARAMETERS = {  # noqa: RUF012 - TFX reads it from the class
        specs.EVAL_CONFIG_KEY: ExecutionParameter(type=tfma.EvalConfig),
        SETTINGS: ExecutionParameter(type=str),
        DATA_SPEC: ExecutionParameter(type=str),
        SERVED: ExecutionParameter(type=str),
    }


class Evaluator(base_beam_component.BaseBeamComponent):
    """TFX's Evaluator, with our executor."""

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = BeamExecutorSpec(Executor)


def build_baseline(
    settings: EvaluationSettings, *, candidate: BaseChannel, served: Path | None
) -> Resolver:
    """Resolves the model that the candidate must not fall behind.

    Args:
        settings: which label says what is live.
        candidate: the model that is judged.
        served: the folder of the pushed versions; None if it is no folder.
    """
    return Resolver(
        strategy_class=baseline.LiveModel,
        config={"base": str(served or ""), "label": settings.baseline.label},
        **{
            baseline.CANDIDATE: candidate,
            baseline.MODEL: Channel(type=standard_artifacts.Model),
            baseline.BLESSING: Channel(type=standard_artifacts.ModelBlessing),
        },
    )


def build_evaluator(
    settings: EvaluationSettings,
    *,
    data_spec: DataSpec,
    examples: BaseChannel,
    model: BaseChannel,
    baseline_model: BaseChannel,
    schema: BaseChannel,
    served: Path | None,
) -> Evaluator:
    """Judges the candidate on the `eval` split, beside the baseline, overall and by slice.

    Args:
        settings: metrics, slices and thresholds.
        data_spec: the columns and the label.
        examples: with the `eval` split.
        model: the candidate.
        baseline_model: what to compare it with; may turn out to be nothing.
        schema: of the examples.
        served: the folder of the pushed versions; None if it is no folder.
    """
    return Evaluator(
        spec=EvaluatorSpec(
            **{
                specs.EXAMPLES_KEY: examples,
                specs.MODEL_KEY: model,
                specs.BASELINE_MODEL_KEY: baseline_model,
                specs.SCHEMA_KEY: schema,
                specs.EVAL_CONFIG_KEY: make_eval_config(data_spec, settings),
                SETTINGS: settings.model_dump_json(),
                DATA_SPEC: data_spec.model_dump_json(),
                SERVED: str(served or ""),
                specs.EVALUATION_KEY: types.Channel(type=standard_artifacts.ModelEvaluation),
                specs.BLESSING_KEY: types.Channel(type=standard_artifacts.ModelBlessing),
            }
        )
    )

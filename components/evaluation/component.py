"""Builds the nodes that pick the baseline and evaluate the candidate."""

from __future__ import annotations

from tfx.components.evaluator.component import Evaluator
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.dsl.components.common.resolver import Resolver
from tfx.types import standard_artifacts
from tfx.types.channel import BaseChannel, Channel

from components.evaluation import baseline
from components.evaluation.eval_config import make_eval_config
from components.evaluation.executor import Executor
from components.evaluation.settings import EvaluationSettings
from components.features import DataSpec


def build_baseline(*, candidate: BaseChannel) -> Resolver:
    """Resolves the model that the candidate must not fall behind."""
    return Resolver(
        strategy_class=baseline.LatestOtherBlessedModel,
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
) -> Evaluator:
    """TFMA over the `eval` split: candidate beside baseline, overall and by slice."""
    evaluator = Evaluator(
        examples=examples,
        model=model,
        baseline_model=baseline_model,
        eval_config=make_eval_config(data_spec, settings),
        schema=schema,
    )
    evaluator.executor_spec = BeamExecutorSpec(Executor)
    return evaluator

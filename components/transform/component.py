"""Builds the Transform node."""

from __future__ import annotations

from tfx.components.transform.component import Transform
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.types.channel import BaseChannel

from components.features import DataSpec
from components.transform.executor import Executor
from components.transform.settings import TransformSettings

PREPROCESSING_FN = "components.transform.preprocessing.preprocessing_fn"


def build(
    settings: TransformSettings,
    *,
    examples: BaseChannel,
    schema: BaseChannel,
    data_spec: DataSpec,
) -> Transform:
    """The Transform component over the `train` split, applied to every split.

    Args:
        settings: sizes of the vocabulary.
        examples: raw examples, splits `train` and `eval`.
        schema: the schema artifact; it types the columns.
        data_spec: which columns, of which kind, and the label.
    """
    transform = Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn=PREPROCESSING_FN,
        custom_config={
            "data_spec": data_spec.model_dump_json(),
            "settings": settings.model_dump_json(),
        },
        # StatisticsGen has described the data; the analyzer cache is for rolling spans.
        disable_statistics=True,
        disable_analyzer_cache=True,
    )
    # Not by `custom_executor_spec`: TFX warns on every use of it.
    transform.executor_spec = BeamExecutorSpec(Executor)
    return transform

"""Builds the Tuner node."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tfx.components.tuner.component import Tuner
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.proto import trainer_pb2
from tfx.types.channel import BaseChannel

from components.errors import ConfigError, nearest
from components.features import DataSpec
from components.training.component import code_hash
from components.training.metrics import make_metrics
from components.training.settings import TrainingSettings
from components.training.tuning.executor import Executor
from components.training.tuning.settings import TuningSettings

TUNER_FN = "components.training.tuning.tuner_fn.tuner_fn"


def build(
    tuning: TuningSettings,
    *,
    training: TrainingSettings,
    directory: Path,
    examples: BaseChannel,
    transform_graph: BaseChannel,
    schema: BaseChannel,
    data_spec: DataSpec,
    base_model: BaseChannel | None = None,
) -> Tuner:
    """TFX's Tuner, with trials of our training.

    Args:
        tuning: what to try, and how.
        training: how to train otherwise.
        directory: where a search keeps its state, so that it outlives a failed run.
        examples: transformed examples, splits `train` and `eval`.
        transform_graph: the graph that made them.
        schema: the schema of the raw columns.
        data_spec: the columns and the label.
        base_model: the model whose weights each trial begins with, if any.

    Raises:
        ConfigError: the problem does not have the objective.
    """
    _check_objective(tuning.objective, data_spec)
    tuner = Tuner(
        tuner_fn=TUNER_FN,
        examples=examples,
        transform_graph=transform_graph,
        schema=schema,
        base_model=base_model,
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        custom_config={
            "tuning": tuning.model_dump_json(),
            "settings": training.model_dump_json(),
            "data_spec": data_spec.model_dump_json(),
            "directory": str(directory.absolute()),
            "code": code_hash(),
        },
    )
    # Not by `custom_executor_spec`: TFX warns on every use of it.
    tuner.executor_spec = ExecutorClassSpec(Executor)
    return tuner


def _check_objective(objective: str, data_spec: DataSpec) -> None:
    label = data_spec.label
    metrics = make_metrics(label.problem)
    # A row of each class shows which metrics there are.
    num_rows = max(2, len(label.classes))
    units = num_rows if label.problem == "multiclass" else 1
    metrics.add(np.zeros((num_rows, units), np.float32), np.arange(num_rows))
    known = ["loss", *metrics.result()]
    if objective not in known:
        raise ConfigError(
            f"tuning.objective: a {label.problem} label has no metric {objective!r}. It has: "
            f"{', '.join(known)}.{nearest(objective, known)}"
        )

"""Builds the Trainer node."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tfx.components.trainer.component import Trainer
from tfx.proto import trainer_pb2
from tfx.types.channel import BaseChannel

from components.features import DataSpec
from components.training.settings import TrainingSettings

RUN_FN = "components.training.run_fn.run_fn"


def build(
    settings: TrainingSettings,
    *,
    examples: BaseChannel,
    transform_graph: BaseChannel,
    schema: BaseChannel,
    data_spec: DataSpec,
    base_model: BaseChannel | None = None,
    hyperparameters: BaseChannel | None = None,
) -> Trainer:
    """The Trainer component.

    Args:
        settings: how to train.
        examples: transformed examples, splits `train` and `eval`.
        transform_graph: the graph that made them; it becomes part of the model.
        schema: the schema of the raw columns.
        data_spec: the columns and the label.
        base_model: the model whose weights to begin with, if any.
        hyperparameters: the Tuner's best values; they replace those of `settings`.
    """
    return Trainer(
        run_fn=RUN_FN,
        examples=examples,
        transform_graph=transform_graph,
        schema=schema,
        base_model=base_model,
        hyperparameters=hyperparameters,
        train_args=trainer_pb2.TrainArgs(splits=["train"], num_steps=settings.steps or 0),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"], num_steps=settings.watch.eval_steps),
        custom_config={
            "settings": settings.model_dump_json(),
            "data_spec": data_spec.model_dump_json(),
            "code": code_hash(),
        },
    )


def code_hash() -> str:
    """A digest of the sources that decide what is trained: TFX sees only the path of `run_fn`."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    shared = [folder.parent / name for name in ("features.py", "raw_inputs.py")]
    for path in sorted([*folder.rglob("*.py"), *shared]):
        digest.update(f"{path.relative_to(folder.parent)} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()

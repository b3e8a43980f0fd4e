"""Builds the Pusher node."""

from __future__ import annotations

from pathlib import Path

from tfx.components.pusher.component import Pusher
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.proto import pusher_pb2
from tfx.types.channel import BaseChannel

from components.pushing.executor import Executor
from components.pushing.settings import PushSettings

DEFAULT_DIRECTORY = "serving"


def base_directory(settings: PushSettings, *, root: Path, model_name: str) -> Path:
    """The folder that holds the versions of one model: a server's `base_path`."""
    return root.absolute() / (settings.directory or DEFAULT_DIRECTORY) / model_name


def build(
    settings: PushSettings,
    *,
    root: Path,
    model_name: str,
    model: BaseChannel,
    model_blessing: BaseChannel,
    infra_blessing: BaseChannel,
) -> Pusher:
    """TFX's Pusher, with an executor that publishes numbered versions atomically.

    Args:
        settings: where to publish.
        root: the root of the run; a relative directory starts there.
        model_name: the name a server knows the model by.
        model: the Trainer's model.
        model_blessing: the Evaluator's verdict.
        infra_blessing: the ServingCheck's verdict.
    """
    base = base_directory(settings, root=root, model_name=model_name)
    pusher = Pusher(
        model=model,
        model_blessing=model_blessing,
        infra_blessing=infra_blessing,
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(base))
        ),
    )
    # Not by `custom_executor_spec`: TFX warns on every use of it.
    pusher.executor_spec = ExecutorClassSpec(Executor)
    return pusher

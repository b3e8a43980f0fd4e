"""Builds the Pusher node."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.proto import pusher_pb2
from tfx.types import Artifact, Channel, standard_artifacts
from tfx.types import standard_component_specs as specs
from tfx.types.channel import BaseChannel
from tfx.types.component_spec import ChannelParameter

from components.pushing.executor import EVALUATION, EXAMPLES, MODEL_CARD, Executor
from components.pushing.settings import PushSettings

DEFAULT_DIRECTORY = "serving"


class ModelCard(Artifact):
    """What the input may hold: TFX compares types by name, and stages do not know each other."""

    TYPE_NAME = "ModelCard"


class PusherSpec(specs.PusherSpec):
    """TFX's Pusher, which also takes what is shipped or noted with the model."""

    INPUTS = specs.PusherSpec.INPUTS | {
        MODEL_CARD: ChannelParameter(type=ModelCard, optional=True),
        EVALUATION: ChannelParameter(type=standard_artifacts.ModelEvaluation, optional=True),
        EXAMPLES: ChannelParameter(type=standard_artifacts.Examples, optional=True),
    }


class Pusher(BaseComponent):
    """Publishes numbered versions atomically, and moves a label to them."""

    SPEC_CLASS = PusherSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)


def base_directory(settings: PushSettings, *, root: Path, model_name: str) -> Path | None:
    """The folder that holds the versions of one model; none if they go to a URL."""
    if settings.is_url:
        return None
    return root.absolute() / (settings.directory or DEFAULT_DIRECTORY) / model_name


def destination(settings: PushSettings, *, root: Path, model_name: str) -> str:
    """The folder or URL that holds the versions of one model: a server's `base_path`."""
    base = base_directory(settings, root=root, model_name=model_name)
    return str(base) if base is not None else f"{settings.directory}/{model_name}"


def build(
    settings: PushSettings,
    *,
    root: Path,
    model_name: str,
    model: BaseChannel,
    model_blessing: BaseChannel,
    infra_blessing: BaseChannel,
    model_card: BaseChannel | None = None,
    evaluation: BaseChannel | None = None,
    examples: BaseChannel | None = None,
    origin: Mapping[str, str] | None = None,
) -> BaseComponent:
    """The Pusher node, with an executor that publishes numbered versions atomically.

    Args:
        settings: where to publish, and what to do then.
        root: the root of the run; a relative directory starts there.
        model_name: the name a server knows the model by.
        model: the Trainer's model.
        model_blessing: the Evaluator's verdict.
        infra_blessing: the ServingCheck's verdict, with the requests that warm a server up.
        model_card: shipped with the model.
        evaluation: the metrics, to note.
        examples: the data, to note.
        origin: what else to note about where the model comes from: the hashes of `code` and
            `config`, and `metadata`, the store that knows the run.
    """
    config: dict[str, Any] = {
        "push": settings.model_dump(mode="json", exclude={"directory"}),
        "origin": dict(origin or {}),
    }
    base = destination(settings, root=root, model_name=model_name)
    optional = {MODEL_CARD: model_card, EVALUATION: evaluation, EXAMPLES: examples}
    spec = PusherSpec(
        model=model,
        model_blessing=model_blessing,
        infra_blessing=infra_blessing,
        **{name: channel for name, channel in optional.items() if channel is not None},
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=base)
        ),
        custom_config=json.dumps(config, sort_keys=True),
        pushed_model=Channel(type=standard_artifacts.PushedModel),
    )
    return Pusher(spec)

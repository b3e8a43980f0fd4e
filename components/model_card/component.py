"""Builds the ModelCard node."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tfx.dsl.components.base import base_component
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import component_spec, standard_artifacts
from tfx.types.channel import BaseChannel, Channel

from components.features import DataSpec
from components.model_card import artifact
from components.model_card.executor import Executor
from components.model_card.settings import ModelCardSettings


class ModelCardSpec(component_spec.ComponentSpec):
    """What the node reads and writes; each parameter but `name` and `code` is JSON."""

    PARAMETERS = {  # noqa: RUF012 - TFX's name
        name: component_spec.ExecutionParameter(type=str)
        for name in ("settings", "data_spec", "training", "defaults", "libraries", "name", "code")
    }
    INPUTS = {  # noqa: RUF012 - TFX's name
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_run": component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "statistics": component_spec.ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "schema": component_spec.ChannelParameter(type=standard_artifacts.Schema),
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "model_blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
        "infra_blessing": component_spec.ChannelParameter(type=standard_artifacts.InfraBlessing),
    }
    OUTPUTS = {  # noqa: RUF012 - TFX's name
        "model_card": component_spec.ChannelParameter(type=artifact.ModelCard)
    }


class ModelCard(base_component.BaseComponent):
    """Writes the model card.

    A class, not a function with TFX's decorator: only an executor is told which run it is part of.
    """

    SPEC_CLASS = ModelCardSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)


def build(
    settings: ModelCardSettings,
    *,
    name: str,
    data_spec: DataSpec,
    training: Mapping[str, object],
    defaults: Mapping[str, object],
    code: str,
    libraries: Mapping[str, str],
    inputs: Mapping[str, BaseChannel],
) -> ModelCard:
    """The ModelCard node.

    Args:
        settings: the owner's words.
        name: of the pipeline and its model.
        data_spec: the input columns and the label.
        training: the settings that decide what is trained, by their full names; no secret is
            among them.
        defaults: the same where nothing is said.
        code: a hash of the code that makes the model.
        libraries: name to version.
        inputs: the channels of `ModelCardSpec.INPUTS` by their keys.
    """
    return ModelCard(
        spec=ModelCardSpec(
            settings=settings.model_dump_json(),
            data_spec=data_spec.model_dump_json(),
            training=json.dumps(dict(training)),
            defaults=json.dumps(dict(defaults)),
            libraries=json.dumps(dict(libraries), sort_keys=True),
            name=name,
            code=code,
            model_card=Channel(type=artifact.ModelCard),
            **inputs,
        )
    )

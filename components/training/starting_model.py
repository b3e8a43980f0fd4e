"""Which model a warm start begins with."""

from __future__ import annotations

from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.components.common.resolver import Resolver, ResolverStrategy
from tfx.types import Artifact, standard_artifacts
from tfx.types.channel import BaseChannel, Channel

from components.blessings import blessed_model_id, newest_first

EXAMPLES, MODEL, BLESSING = "examples", "model", "model_blessing"


class LatestDifferentBlessedModel(ResolverStrategy):
    """Resolves `model` to the model blessed last that was made in another way, or of other data.

    A model of the same settings and the same examples is what the training itself would make: were
    it the answer, a run without changes would train on and on.
    """

    def __init__(self, property_name: str, settings: str) -> None:
        """The execution property `property_name` holds `settings` where they are the same."""
        self._property_name = property_name
        self._settings = settings

    def resolve_artifacts(
        self, store: Any, input_dict: dict[str, list[Artifact]]
    ) -> dict[str, list[Artifact]]:
        """Picks the model.

        Args:
            store: the metadata store.
            input_dict: the transformed `examples` at hand, and every `model` and `model_blessing`
                of the pipeline.

        Returns:
            The same keys; `model` and `model_blessing` are empty when there is no such model.
        """
        examples = {artifact.id for artifact in input_dict[EXAMPLES]}
        blessed = newest_first(input_dict[MODEL], input_dict[BLESSING], blessed_model_id)
        for model, blessing in blessed:
            if not self._is_same(store, model.id, examples):
                return {**input_dict, MODEL: [model], BLESSING: [blessing]}
        return {**input_dict, MODEL: [], BLESSING: []}

    def _is_same(self, store: Any, model_id: int, examples: set[int]) -> bool:
        """Whether the model was made with our settings from `examples`."""
        makers = {
            event.execution_id
            for event in store.get_events_by_artifact_ids([model_id])
            if event.type == metadata_store_pb2.Event.OUTPUT
        }
        for execution in store.get_executions_by_id(list(makers)):
            if execution.custom_properties[self._property_name].string_value != self._settings:
                continue
            read = {
                event.artifact_id
                for event in store.get_events_by_execution_ids([execution.id])
                if event.type == metadata_store_pb2.Event.INPUT
            }
            if examples <= read:
                return True
        return False


def build(*, examples: BaseChannel, property_name: str, settings: str) -> Resolver:
    """Resolves the model that a warm start begins with.

    Args:
        examples: the transformed examples to train on.
        property_name: the property that holds an execution's settings.
        settings: those of the training.
    """
    return Resolver(
        strategy_class=LatestDifferentBlessedModel,
        config={"property_name": property_name, "settings": settings},
        **{
            EXAMPLES: examples,
            MODEL: Channel(type=standard_artifacts.Model),
            BLESSING: Channel(type=standard_artifacts.ModelBlessing),
        },
    )

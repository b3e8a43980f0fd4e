"""Which model the candidate is compared with: the one that was blessed last before it."""

from __future__ import annotations

from typing import Any

from tfx.components.evaluator import constants
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.dsl.io import fileio
from tfx.types import Artifact

CANDIDATE, MODEL, BLESSING = "candidate", "model", "model_blessing"


class LatestOtherBlessedModel(ResolverStrategy):
    """Resolves `model` to the model blessed last that is not the `candidate` and still exists.

    TFX's LatestBlessedModelStrategy answers with the candidate when the same run is repeated: the
    model is then compared with itself, and the changed input runs the Evaluator again.
    """

    def resolve_artifacts(
        self, store: Any, input_dict: dict[str, list[Artifact]]
    ) -> dict[str, list[Artifact]]:
        """Picks the baseline.

        Args:
            store: the metadata store; not asked, the inputs hold all there is to know.
            input_dict: `candidate`, and every `model` and `model_blessing` of the pipeline.

        Returns:
            The same keys; `model` and `model_blessing` are empty when there is no such model.
        """
        candidates = {artifact.id for artifact in input_dict[CANDIDATE]}
        models = {artifact.id: artifact for artifact in input_dict[MODEL]}
        for blessing in sorted(input_dict[BLESSING], key=lambda item: item.id, reverse=True):
            model_id = blessing.get_int_custom_property(
                constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY
            )
            blessed = blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY)
            model = models.get(model_id)
            if not blessed or model is None or model_id in candidates:
                continue
            if fileio.exists(model.uri):
                return {**input_dict, MODEL: [model], BLESSING: [blessing]}
        return {**input_dict, MODEL: [], BLESSING: []}

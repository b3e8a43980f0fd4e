"""Which model the candidate is compared with: the one that was blessed last before it."""

from __future__ import annotations

from typing import Any

from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types import Artifact

from components.blessings import blessed_model_id, newest_first

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
        blessed = newest_first(input_dict[MODEL], input_dict[BLESSING], blessed_model_id)
        for model, blessing in blessed:
            if model.id not in candidates:
                return {**input_dict, MODEL: [model], BLESSING: [blessing]}
        return {**input_dict, MODEL: [], BLESSING: []}

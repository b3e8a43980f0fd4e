"""The resolver of the model that the candidate is compared with: the one that is live."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.dsl.io import fileio
from tfx.types import Artifact

from components.evaluation.live import (
    BASELINE_ID,
    BLESSED,
    MODEL_ID,
    choose,
    find_readable,
    judgement,
)

CANDIDATE, MODEL, BLESSING = "candidate", "model", "model_blessing"


class LiveModel(ResolverStrategy):
    """Resolves `model` to the live model; see `live.choose`.

    TFX's LatestBlessedModelStrategy answers with the model blessed last: that may have been rolled
    back, and it is the candidate itself when the same run is repeated.
    """

    def __init__(self, base: str, label: str) -> None:
        """Says where the live model is looked for.

        Args:
            base: the folder of the pushed versions; empty if it is no folder.
            label: which label says what is live.
        """
        self._base = Path(base) if base else None
        self._label = label

    def resolve_artifacts(
        self, store: Any, input_dict: dict[str, list[Artifact]]
    ) -> dict[str, list[Artifact]]:
        """Picks the baseline.

        Args:
            store: the metadata store; not asked, the inputs hold all there is to know.
            input_dict: `candidate`, and every `model` and `model_blessing` of the pipeline.

        Returns:
            The same keys; `model` is empty when there is no such model.
        """
        models = {artifact.id: artifact for artifact in input_dict[MODEL]}
        blessings = sorted(input_dict[BLESSING], key=lambda item: item.id, reverse=True)
        chosen = choose(
            candidates={artifact.id for artifact in input_dict[CANDIDATE]},
            live=find_readable(self._base, self._label),
            models={identity: artifact.uri for identity, artifact in models.items()},
            judgements=[judgement(_properties(blessing)) for blessing in blessings],
            exists=fileio.exists,
        )
        found = [models[chosen]] if chosen is not None else []
        return {**input_dict, MODEL: found, BLESSING: []}


def _properties(blessing: Artifact) -> dict[str, object]:
    names = (MODEL_ID, BASELINE_ID, BLESSED)
    return {name: blessing.get_int_custom_property(name) for name in names}

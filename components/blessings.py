"""What was blessed, newest first: how the resolvers of all stages look for an earlier result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tfx.components.evaluator import constants
from tfx.dsl.io import fileio
from tfx.types import Artifact


def newest_first(
    judged: Sequence[Artifact],
    blessings: Sequence[Artifact],
    judged_id: Callable[[Artifact], int | None],
) -> Iterator[tuple[Artifact, Artifact]]:
    """Each artifact that was blessed and still exists, with its blessing.

    Args:
        judged: all artifacts that may have been blessed.
        blessings: all blessings of the pipeline.
        judged_id: the id of what a blessing is about; none if it says that it is not blessed.
    """
    known = {artifact.id: artifact for artifact in judged}
    for blessing in sorted(blessings, key=lambda item: item.id, reverse=True):
        found = judged_id(blessing)
        artifact = known.get(found) if found is not None else None
        if artifact is not None and fileio.exists(artifact.uri):
            yield artifact, blessing


def blessed_model_id(blessing: Artifact) -> int | None:
    """The id of the model that a ModelBlessing of TFX's Evaluator is about; none if not blessed."""
    if not blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY):
        return None
    return blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY)

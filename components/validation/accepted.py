"""Which data this run's data is compared with: what the gate accepted last before it."""

from __future__ import annotations

from typing import Any

from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types import Artifact

from components.blessings import newest_first

CURRENT, STATISTICS, BLESSING = "current", "statistics", "blessing"

# The property of a DataBlessing that names the statistics it is about.
STATISTICS_ID = "statistics_id"


class LastAcceptedStatistics(ResolverStrategy):
    """Resolves `statistics` to those blessed last that are not the `current` ones and still exist.

    The same data run again gets the same answer, so nothing downstream is computed again.
    """

    def resolve_artifacts(
        self, store: Any, input_dict: dict[str, list[Artifact]]
    ) -> dict[str, list[Artifact]]:
        """Picks the statistics.

        Args:
            store: the metadata store; not asked, the inputs hold all there is to know.
            input_dict: `current`, and every `statistics` and `blessing` of the pipeline.

        Returns:
            The same keys; `statistics` and `blessing` are empty where nothing was accepted before.
        """
        current = {artifact.id for artifact in input_dict[CURRENT]}
        accepted = newest_first(
            input_dict[STATISTICS],
            input_dict[BLESSING],
            lambda blessing: blessing.get_int_custom_property(STATISTICS_ID),
        )
        for statistics, blessing in accepted:
            if statistics.id not in current:
                return {**input_dict, STATISTICS: [statistics], BLESSING: [blessing]}
        return {**input_dict, STATISTICS: [], BLESSING: []}

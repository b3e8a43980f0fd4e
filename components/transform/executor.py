"""The Transform executor: TFX's own, which then says beside the graph what its columns mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tfx.components.transform import executor
from tfx.types import Artifact, artifact_utils

# Read by whoever has the graph's folder and no metadata store: `components.training.by_hand`.
DATA_SPEC = "data_spec.json"


class Executor(executor.Executor):
    """Transforms, then writes the data spec; it comes last, so where it is the graph is whole."""

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Runs TFX's Transform.

        Args:
            input_dict: `examples` and `schema`.
            output_dict: `transform_graph` and `transformed_examples`.
            exec_properties: `custom_config`, which holds `data_spec` as JSON, and TFX's own.
        """
        super().Do(input_dict, output_dict, exec_properties)
        config = json.loads(exec_properties["custom_config"])
        graph = artifact_utils.get_single_uri(output_dict["transform_graph"])
        Path(graph, DATA_SPEC).write_text(config["data_spec"], encoding="utf-8")

"""TFX's Tuner executor, which also leaves a table of all trials."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tfx import types
from tfx.components.tuner import executor
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as specs

TRIALS = "trials.json"


class Executor(base_executor.BaseExecutor):
    """Searches, and writes the best values (for the Trainer), TFX's results, and `trials.json`.

    What the best trial was is also said on both artifacts, for those who ask the metadata store.
    """

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Runs the search; see `tuner_fn` for its arguments.

        Raises:
            WaybillError: the search failed, or was interrupted.
        """
        search = executor.search(
            input_dict, exec_properties, self._get_tmp_dir(), print_tuning_summary=False
        )
        executor.write_best_hyperparameters(search, output_dict)
        [results] = output_dict[specs.TUNER_RESULTS_KEY]
        [hyperparameters] = output_dict[specs.BEST_HYPERPARAMETERS_KEY]
        rows, best = search.trials(), search.best()
        uri = artifact_utils.get_single_uri([results])
        Path(uri, TRIALS).write_text(json.dumps(rows, indent=1), encoding="utf-8")
        for artifact in (results, hyperparameters):
            artifact.set_string_custom_property("objective", search.oracle.objective.name)
            artifact.set_float_custom_property("score", best["score"])
            artifact.set_int_custom_property("best_trial", best["trial"])
            artifact.set_int_custom_property("num_trials", len(rows))
            artifact.set_string_custom_property("values", json.dumps(best["values"]))

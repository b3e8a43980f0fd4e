"""The executor of ExampleValidator: TFX's, in the schema's environment of training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.components.example_validator import executor, labels
from tfx.types import standard_component_specs
from tfx.utils import writer_utils

from components.validation.contract import TRAINING, environment_of


class Executor(executor.Executor):
    """TFX's executor asks for the columns of every environment, those of SERVING alone too."""

    def _Validate(  # noqa: N802 (TFX's name)
        self, inputs: dict[str, Any], outputs: dict[str, Any]
    ) -> anomalies_pb2.Anomalies:
        schema = inputs[standard_component_specs.SCHEMA_KEY]
        statistics = inputs[standard_component_specs.STATISTICS_KEY]
        folder = outputs[labels.SCHEMA_DIFF_PATH]
        anomalies = tfdv.validate_statistics(
            statistics, schema, environment=environment_of(schema, TRAINING)
        )
        path = str(Path(folder) / executor.DEFAULT_FILE_NAME)
        writer_utils.write_anomalies(path, anomalies)
        return anomalies

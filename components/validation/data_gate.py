"""DataGate: the node that stops a run on bad data, before anything is learned from it."""

import json
from pathlib import Path

from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils, standard_artifacts

from components.errors import DataRejected
from components.features import Label
from components.validation.artifacts import DataBlessing
from components.validation.gate import judge
from components.validation.settings import ValidationSettings


@component
def DataGate(  # noqa: N802 - a component is named like a class; TFX calls it
    statistics: InputArtifact[standard_artifacts.ExampleStatistics],
    anomalies: InputArtifact[standard_artifacts.ExampleAnomalies],
    blessing: OutputArtifact[DataBlessing],
    label: Parameter[str],
    settings: Parameter[str],
) -> None:
    """Stops the run when the data breaks its contract.

    Args:
        statistics: StatisticsGen's output.
        anomalies: ExampleValidator's output.
        blessing: gets `report.json` and the property `num_warnings`.
        label: a Label as JSON.
        settings: ValidationSettings as JSON.

    Raises:
        DataRejected: naming every broken rule and what to edit.
    """
    parsed = ValidationSettings.model_validate_json(settings)
    verdict = judge(
        {
            split: anomalies_pb2.Anomalies.FromString(
                (Path(anomalies.uri) / f"Split-{split}" / "SchemaDiff.pb").read_bytes()
            )
            for split in artifact_utils.decode_split_names(anomalies.split_names)
        },
        {
            split: statistics_pb2.DatasetFeatureStatisticsList.FromString(
                (Path(statistics.uri) / f"Split-{split}" / "FeatureStats.pb").read_bytes()
            )
            for split in artifact_utils.decode_split_names(statistics.split_names)
        },
        label=Label.model_validate_json(label),
        settings=parsed,
    )
    if verdict.errors:
        raise DataRejected(verdict.message(parsed.schema_path))
    warnings = [str(finding) for finding in verdict.warnings]
    report = Path(blessing.uri) / "report.json"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps({"warnings": warnings}, indent=2), encoding="utf-8")
    blessing.set_int_custom_property("num_warnings", len(warnings))
    blessing.set_string_custom_property("warnings", json.dumps(warnings))

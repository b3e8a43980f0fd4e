"""DataGate: the node that stops a run on bad data, before anything is learned from it."""

import json
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils, standard_artifacts

from components.errors import DataRejected
from components.features import DataSpec
from components.validation import comparing, gate
from components.validation.accepted import STATISTICS_ID
from components.validation.artifacts import DataBlessing
from components.validation.contract import contracts
from components.validation.findings import Verdict, judge
from components.validation.fixes import Fixes
from components.validation.look import look_at_examples
from components.validation.settings import ValidationSettings

# What MySQL's longest text holds is far more; a reader of lineage needs no more than this.
_MAX_PROPERTY_WARNINGS = 20


@component
def DataGate(  # noqa: N802 - a component is named like a class; TFX calls it
    examples: InputArtifact[standard_artifacts.Examples],
    statistics: InputArtifact[standard_artifacts.ExampleStatistics],
    schema: InputArtifact[standard_artifacts.Schema],
    anomalies: InputArtifact[standard_artifacts.ExampleAnomalies],
    blessing: OutputArtifact[DataBlessing],
    data: Parameter[str],
    data_spec: Parameter[str],
    settings: Parameter[str],
    drift: Parameter[bool],
    accepted_statistics: InputArtifact[standard_artifacts.ExampleStatistics] = None,
) -> None:
    """Stops the run when the data breaks its contract.

    Args:
        examples: ExampleGen's output, for a second look at the rows.
        statistics: StatisticsGen's output.
        schema: the contract.
        anomalies: ExampleValidator's output.
        blessing: gets `report.json` with all findings, distances and notes, and the properties
            `num_warnings`, `warnings`, `rules` (those that warn), `notes` and `statistics_id`.
        data: where the data came from, for the messages.
        data_spec: a DataSpec as JSON.
        settings: ValidationSettings as JSON.
        drift: whether the data is compared with the last accepted data.
        accepted_statistics: that data's statistics; None where there is none.

    Raises:
        DataRejected: naming every broken rule and what to edit; its `findings` are all of them.
    """
    rules = ValidationSettings.model_validate_json(settings)
    spec = DataSpec.model_validate_json(data_spec)
    fixes = Fixes(data=data, schema=rules.schema_path, serving_log=rules.serving_log)
    parsed = text_format.Parse(
        (Path(schema.uri) / "schema.pbtxt").read_text(encoding="utf-8"), schema_pb2.Schema()
    )
    described = _statistics(statistics)
    found = gate.find(
        schema=parsed,
        anomalies=_anomalies(anomalies),
        statistics=described,
        looks={
            split: look_at_examples(
                Path(artifact_utils.get_split_uri([examples], split)),
                contracts(parsed),
                spec,
                rules.look_rows,
            )
            for split in described
        },
        spec=spec,
        settings=rules,
        fixes=fixes,
    )
    compared = comparing.compare_all(
        described,
        _statistics(accepted_statistics) if accepted_statistics is not None else None,
        parsed,
        spec,
        rules,
        is_drift_on=drift,
        fixes=fixes,
    )
    verdict = judge([*found, *compared.findings], rules)
    if verdict.errors:
        raise DataRejected(verdict.message(fixes), findings=tuple(verdict.as_json()))
    _bless(blessing, verdict, compared, statistics.id)


def _bless(
    blessing: Any, verdict: Verdict, compared: comparing.Compared, statistics_id: int
) -> None:
    """Records what passed and with which warnings, in a file and in lineage."""
    warnings = [str(finding) for finding in verdict.warnings]
    report = {
        "findings": verdict.as_json(),
        "distances": [item.as_json() for item in compared.measured],
        "notes": list(compared.notes),
    }
    path = Path(blessing.uri) / "report.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2), encoding="utf-8")
    blessing.set_int_custom_property(STATISTICS_ID, statistics_id)
    blessing.set_int_custom_property("num_warnings", len(warnings))
    blessing.set_string_custom_property("warnings", json.dumps(warnings[:_MAX_PROPERTY_WARNINGS]))
    rules = sorted({finding.rule for finding in verdict.warnings})
    blessing.set_string_custom_property("rules", json.dumps(rules))
    blessing.set_string_custom_property("notes", json.dumps(compared.notes))


def _statistics(artifact: Any) -> dict[str, statistics_pb2.DatasetFeatureStatisticsList]:
    return {
        split: statistics_pb2.DatasetFeatureStatisticsList.FromString(
            (Path(artifact.uri) / f"Split-{split}" / "FeatureStats.pb").read_bytes()
        )
        for split in artifact_utils.decode_split_names(artifact.split_names)
    }


def _anomalies(artifact: Any) -> dict[str, anomalies_pb2.Anomalies]:
    return {
        split: anomalies_pb2.Anomalies.FromString(
            (Path(artifact.uri) / f"Split-{split}" / "SchemaDiff.pb").read_bytes()
        )
        for split in artifact_utils.decode_split_names(artifact.split_names)
    }

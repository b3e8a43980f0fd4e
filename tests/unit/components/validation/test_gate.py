"""The gate lets good data pass, and names what is wrong with the rest."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from components.features import Label
from components.validation.gate import Verdict, judge
from components.validation.settings import ValidationSettings

LABEL = Label(column="y", dtype="float", problem="regression")
Anomalies = anomalies_pb2.Anomalies


def statistics(text: str = "") -> statistics_pb2.DatasetFeatureStatisticsList:
    whole = text or "num_stats { min: 0 max: 1 common_stats { num_non_missing: 50 } }"
    return text_format.Parse(
        f'datasets {{ num_examples: 50 features {{ path {{ step: "y" }} {whole} }} }}',
        statistics_pb2.DatasetFeatureStatisticsList(),
    )


def anomaly(kind: str, feature: str = "fare") -> Anomalies:
    found = Anomalies()
    reason = found.anomaly_info[feature].reason.add()
    reason.type = anomalies_pb2.AnomalyInfo.Type.Value(kind)
    reason.short_description = "Short"
    reason.description = "Long"
    return found


@pytest.fixture
def verdict() -> Callable[..., Verdict]:
    def make(
        found: Anomalies | None = None,
        described: statistics_pb2.DatasetFeatureStatisticsList | None = None,
        **settings: object,
    ) -> Verdict:
        return judge(
            {"train": found or Anomalies()},
            {"train": described or statistics()},
            label=LABEL,
            settings=ValidationSettings(**settings),  # type: ignore[arg-type]
        )

    return make


def test_clean_data_passes(verdict: Callable[..., Verdict]) -> None:
    assert verdict() == Verdict(errors=(), warnings=())


def test_an_anomaly_stops_and_is_named(verdict: Callable[..., Verdict]) -> None:
    made = verdict(anomaly("UNEXPECTED_DATA_TYPE"))
    message = made.message("schemas/mine/schema.pbtxt")
    for part in ("'fare'", "train", "Short", "UNEXPECTED_DATA_TYPE", "schemas/mine/schema.pbtxt"):
        assert part in message


def test_a_new_column_only_warns(verdict: Callable[..., Verdict]) -> None:
    made = verdict(anomaly("SCHEMA_NEW_COLUMN"))
    assert not made.errors
    assert made.warnings[0].feature == "fare"


def test_each_reason_of_one_feature_is_judged_by_its_own_kind(
    verdict: Callable[..., Verdict],
) -> None:
    found = anomaly("SCHEMA_NEW_COLUMN")
    found.anomaly_info["fare"].reason.add(
        type=anomalies_pb2.AnomalyInfo.Type.Value("UNEXPECTED_DATA_TYPE")
    )
    made = verdict(found)
    assert len(made.errors) == len(made.warnings) == 1


def test_the_policy_can_warn_or_ignore(verdict: Callable[..., Verdict]) -> None:
    kind = "FEATURE_TYPE_LOW_NUMBER_PRESENT"
    assert verdict(anomaly(kind), warn=(kind,)).warnings
    assert verdict(anomaly(kind), ignore=(kind,)) == Verdict(errors=(), warnings=())


@pytest.mark.parametrize(
    ("described", "kind"),
    [
        ("num_stats { min: 2 max: 2 common_stats { num_non_missing: 50 } }", "LABEL_CONSTANT"),
        ("string_stats { unique: 1 common_stats { num_non_missing: 50 } }", "LABEL_CONSTANT"),
        (
            "num_stats { min: 0 max: 1 common_stats { num_missing: 3 num_non_missing: 47 } }",
            "LABEL_MISSING",
        ),
    ],
)
def test_a_label_that_teaches_nothing_stops(
    verdict: Callable[..., Verdict], described: str, kind: str
) -> None:
    assert [error.kind for error in verdict(described=statistics(described)).errors] == [kind]


def test_an_absent_label_stops(verdict: Callable[..., Verdict]) -> None:
    described = statistics()
    described.datasets[0].features[0].path.step[0] = "z"
    assert [error.kind for error in verdict(described=described).errors] == ["NO_LABEL"]


def test_too_few_rows_stop(verdict: Callable[..., Verdict]) -> None:
    assert [error.kind for error in verdict(min_rows=51).errors] == ["TOO_FEW_ROWS"]


def test_the_message_is_bounded(verdict: Callable[..., Verdict]) -> None:
    found = Anomalies()
    for number in range(500):
        found.anomaly_info[f"f{number}"].reason.add(type=1)
    assert len(verdict(found).message(None).splitlines()) < 20

"""What TensorFlow Data Validation found, as findings of our rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.validation import columns
from components.validation.columns import Reader
from components.validation.contract import Contract
from components.validation.findings import Finding
from components.validation.observe import ColumnObserver

_BY_RULE = {
    "missing_column": ("SCHEMA_MISSING_COLUMN",),
    "new_column": ("SCHEMA_NEW_COLUMN",),
    "wrong_type": (
        *("UNEXPECTED_DATA_TYPE", "BOOL_TYPE_BYTES_NOT_INT", "BOOL_TYPE_BYTES_NOT_STRING"),
        *("BOOL_TYPE_FLOAT_NOT_INT", "BOOL_TYPE_FLOAT_NOT_STRING", "BOOL_TYPE_INT_NOT_STRING"),
        *("BOOL_TYPE_STRING_NOT_INT", "ENUM_TYPE_BYTES_NOT_STRING", "ENUM_TYPE_FLOAT_NOT_STRING"),
        *("ENUM_TYPE_INT_NOT_STRING", "FLOAT_TYPE_NOT_FLOAT", "FLOAT_TYPE_STRING_NOT_FLOAT"),
        *("FLOAT_TYPE_NON_STRING", "INT_TYPE_INT_EXPECTED", "INT_TYPE_NOT_INT_STRING"),
        *("INT_TYPE_NOT_STRING", "INT_TYPE_STRING_EXPECTED", "STRING_TYPE_NOW_FLOAT"),
        *("STRING_TYPE_NOW_INT", "LOW_SUPPORTED_IMAGE_FRACTION"),
    ),
    "missing_values": (
        *("FEATURE_TYPE_LOW_FRACTION_PRESENT", "FEATURE_TYPE_LOW_NUMBER_PRESENT"),
        "FEATURE_TYPE_NOT_PRESENT",
    ),
    "value_count": (
        *("FEATURE_TYPE_LOW_NUMBER_VALUES", "FEATURE_TYPE_HIGH_NUMBER_VALUES"),
        *("FEATURE_TYPE_NO_VALUES", "FEATURE_TYPE_UNEXPECTED_REPEATED"),
        *("VALUE_NESTEDNESS_MISMATCH", "INVALID_FEATURE_SHAPE"),
    ),
    "out_of_domain": ("ENUM_TYPE_UNEXPECTED_STRING_VALUES", "BOOL_TYPE_UNEXPECTED_STRING"),
    "out_of_range": (
        *("INT_TYPE_BIG_INT", "INT_TYPE_SMALL_INT", "FLOAT_TYPE_BIG_FLOAT"),
        *("FLOAT_TYPE_SMALL_FLOAT", "BOOL_TYPE_BIG_INT", "BOOL_TYPE_SMALL_INT"),
        "BOOL_TYPE_UNEXPECTED_FLOAT",
    ),
    "invalid_utf8": ("ENUM_TYPE_INVALID_UTF8",),
    "nan": ("FLOAT_TYPE_HAS_NAN",),
    "beyond_float32": ("FLOAT_TYPE_HAS_INF",),
    "unique_count": (
        *("FEATURE_TYPE_HIGH_UNIQUE", "FEATURE_TYPE_LOW_UNIQUE", "FEATURE_TYPE_NO_UNIQUE"),
    ),
    "row_count": ("DATASET_LOW_NUM_EXAMPLES", "DATASET_HIGH_NUM_EXAMPLES", "NO_DATA_IN_SPAN"),
    "schema_invalid": (
        *("INVALID_SCHEMA_SPECIFICATION", "INVALID_DOMAIN_SPECIFICATION"),
        *("DOMAIN_INVALID_FOR_TYPE", "FEATURE_MISSING_NAME", "FEATURE_MISSING_TYPE"),
        "BOOL_TYPE_INVALID_CONFIG",
    ),
}
RULE_OF = {kind: rule for rule, kinds in _BY_RULE.items() for kind in kinds}


def findings(
    anomalies: anomalies_pb2.Anomalies,
    observed: Mapping[str, ColumnObserver],
    contracts: Mapping[str, Contract],
    reader: Reader,
) -> Iterator[Finding]:
    """One finding for each column and rule, with counts and examples where they were seen.

    Args:
        anomalies: ExampleValidator's anomalies of one split.
        observed: column to what a look at the rows saw.
        contracts: what the schema says of each column.
        reader: how the rows were read.
    """
    for feature, info in sorted(anomalies.anomaly_info.items()):
        reasons: dict[str, list[anomalies_pb2.AnomalyInfo.Reason]] = {}
        # One feature can break several rules; each is judged by itself.
        for reason in info.reason:
            kind = anomalies_pb2.AnomalyInfo.Type.Name(reason.type)
            reasons.setdefault(RULE_OF.get(kind, "other"), []).append(reason)
        for rule, found in reasons.items():
            yield _finding(rule, feature, found, observed.get(feature), contracts, reader)
    for reason in anomalies.dataset_anomaly_info.reason:
        kind = anomalies_pb2.AnomalyInfo.Type.Name(reason.type)
        rule = RULE_OF.get(kind, "other")
        yield _plain(rule, "", [reason], reader)


def _finding(
    rule: str,
    feature: str,
    found: list[anomalies_pb2.AnomalyInfo.Reason],
    column: ColumnObserver | None,
    contracts: Mapping[str, Contract],
    reader: Reader,
) -> Finding:
    kinds = ", ".join(anomalies_pb2.AnomalyInfo.Type.Name(reason.type) for reason in found)
    if rule == "missing_column":
        return missing_column(contracts.get(feature), feature, reader, kinds)
    if column is None or not columns.is_described(rule):
        return _plain(rule, feature, found, reader)
    seen = rule == "new_column" or column.tally(rule).count > 0
    if rule == "missing_values":
        seen = column.num_missing > 0
    if rule == "wrong_type" and column.contract is not None:
        seen = column.kind not in ("", column.contract.kind)
    # A rule may be broken only beyond the rows that were looked at.
    if not seen or (column.contract is None and rule != "new_column"):
        return _plain(rule, feature, found, reader)
    return columns.finding(rule, column, reader, kinds)


def missing_column(
    contract: Contract | None, feature: str, reader: Reader, anomaly: str = ""
) -> Finding:
    """The finding that a column of the schema is absent."""
    kind = {"bytes": "text", "int": "whole numbers", "float": "numbers"}
    what = kind.get(contract.kind if contract else "", "values")
    return Finding(
        rule="missing_column",
        feature=feature,
        split=reader.split,
        observed=f"the column is absent; the schema requires it ({what})",
        fix=reader.fixes.of("missing_column", feature),
        anomaly=anomaly,
    )


def _plain(
    rule: str, feature: str, found: list[anomalies_pb2.AnomalyInfo.Reason], reader: Reader
) -> Finding:
    """A finding in the words of TensorFlow Data Validation."""
    texts = [reason.description.strip() or reason.short_description.strip() for reason in found]
    return Finding(
        rule=rule,
        feature=feature,
        split=reader.split,
        observed=" ".join(texts).rstrip("."),
        fix=reader.fixes.of(rule, feature),
        anomaly=", ".join(anomalies_pb2.AnomalyInfo.Type.Name(reason.type) for reason in found),
    )

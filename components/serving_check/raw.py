"""The rows as columns: what the signature `serving_raw` is asked."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from components.features import DataSpec, Feature
from components.raw_inputs import MISSING, raw_inputs

_LISTS = {"bytes": "bytes_list", "float": "float_list", "int": "int64_list"}


def raw_columns(rows: Sequence[bytes], data_spec: DataSpec) -> dict[str, dict[str, Any]]:
    """Serialized tf.Examples as the inputs of `serving_raw`, for JSON.

    Args:
        rows: serialized tf.Examples.
        data_spec: the input columns.

    Returns:
        For each input its `shape`, its `values` in row-major order, strings in base64, and whether
        they are (`base64`).
    """
    examples = [tf.train.Example.FromString(row).features.feature for row in rows]
    return {
        name: _column([_values(example, feature) for example in examples], feature)
        for name, feature in raw_inputs(data_spec).items()
    }


def _values(example: Any, feature: Feature) -> list[Any]:
    if feature.name not in example:  # Asking a protobuf map for a key would add it.
        return []
    return list(getattr(example[feature.name], _LISTS[feature.dtype]).value)


def _column(rows: list[list[Any]], feature: Feature) -> dict[str, Any]:
    """Each row filled up with missing values to the longest; one value a row but for a series."""
    is_series = feature.kind == "series"
    width = max([1, *map(len, rows)]) if is_series else 1
    missing: Any = MISSING[feature.dtype]
    if isinstance(missing, str):
        missing = missing.encode()
    values = [value for row in rows for value in (row + [missing] * width)[:width]]
    is_text = feature.dtype == "bytes"
    if is_text:
        values = [base64.b64encode(value).decode("ascii") for value in values]
    shape = [len(rows), width] if is_series else [len(rows)]
    return {"shape": shape, "values": values, "base64": is_text}

"""An example of a request to a server that serves the model."""

from __future__ import annotations

import json

from components.features import Feature
from components.model_card.data import Data
from components.model_card.facts import Facts
from components.raw_inputs import raw_inputs

SIGNATURE = "serving_raw"
# A gray pixel as PNG: images have to be some file.
_PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
_MAX_TEXT = 100
_TOLD_APART = ("categorical", "boolean", "timestamp")


def url_path(name: str) -> str:
    """Where TF Serving's REST interface answers for a model."""
    return f"/v1/models/{name}:predict"


def example_request(facts: Facts) -> str:
    """A request body as JSON: one row of typical values, one input a column."""
    row = {name: _typical(feature, facts.data) for name, feature in raw_inputs(facts.spec).items()}
    body = {"signature_name": SIGNATURE, "instances": [row]}
    return json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False)


def _typical(feature: Feature, data: Data) -> object:
    """The median of numbers, the most frequent of values that many rows share."""
    if feature.kind == "image":
        return {"b64": _PIXEL}
    column = data.column(feature.name)
    if feature.dtype == "bytes":
        values = column.counts if column is not None and feature.kind in _TOLD_APART else {}
        # What a single row holds is nobody else's business.
        shared = (value for value, count in values.items() if count > 1)
        return next((value for value in shared if len(value) <= _MAX_TEXT), "")
    median = (column.median if column is not None else None) or 0.0
    value = round(median) if feature.dtype == "int" else float(f"{median:.6g}")
    return [value] * 3 if feature.kind == "series" else value

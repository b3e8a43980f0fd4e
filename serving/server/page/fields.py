"""The form of a model: a field for each column it reads, and real rows to fill them with.

What is known comes from the version's own folder: `data_spec.json` for the columns, the
vocabularies for the categories, the warm-up requests for real rows. A model without these gets a
field for each input of its signature.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from serving import arrays
from serving.columns import (
    MISSING,
    RAW_SIGNATURE,
    Column,
    ModelColumns,
    read_categories,
    read_columns,
)
from serving.errors import ModelError
from serving.server.servable import DEFAULT_SIGNATURE, Servable
from serving.server.warmup import requests
from serving.signatures import Signature, TensorRef

MAX_EXAMPLES = 20
_MAX_IMAGES = 4
MAX_OPTIONS = 500
_KINDS = {"f": "float", "i": "int", "u": "int", "O": "bytes", "b": "bool"}
_WIDGETS = {
    "categorical": "choice",
    "boolean": "boolean",
    "timestamp": "time",
    "image": "image",
    "text": "text",
    "series": "list",
}
_SIGNATURES = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Field:
    """One field of the form.

    Attributes:
        input: the input of the signature.
        label: the column, as people know it.
        kind: what it is for the pipeline; empty if that is not known.
        dtype: `float`, `int`, `bytes` or `bool`.
        widget: `number`, `choice`, `boolean`, `time`, `image`, `text`, `line`, `list` or `json`.
        unit: of a time that is a number: `s`, `ms`, …
        options: values to offer.
        hint: what to say beside it.
    """

    input: str
    label: str
    kind: str
    dtype: str
    widget: str
    unit: str = ""
    options: tuple[str, ...] = ()
    hint: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Form:
    """The form of one version.

    Attributes:
        signature: what it asks.
        fields: in the order of the data.
        examples: real rows, each the text of every field; empty if none are at hand.
        predicts: the column that is predicted; empty if that is not known.
        problem: why there is no form; empty if there is.
    """

    signature: str
    fields: tuple[Field, ...] = ()
    examples: tuple[Mapping[str, str], ...] = ()
    predicts: str = ""
    problem: str = ""


def build(servable: Servable) -> Form:
    """The form of a loaded version; reads files."""
    name = RAW_SIGNATURE if RAW_SIGNATURE in servable.signatures else DEFAULT_SIGNATURE
    signature = servable.signatures.get(name)
    if signature is None:
        return Form(signature=name, problem=f"The model has no signature {name}.")
    try:
        known, categories, rows = _known(servable.path)
    except ModelError as error:
        return Form(signature=name, problem=str(error))
    columns = _columns(signature, known)
    if columns is None:
        return Form(
            signature=name,
            problem="The model has an input that no form can hold. Ask it by REST or gRPC.",
        )
    # A version that was found by itself has one signature with other names, or its own.
    mine = rows.get(name, ())
    mine = [row for row in mine if row.keys() == signature.inputs.keys()]
    fields = tuple(
        _field(column, signature.inputs[column.input], categories, mine) for column in columns
    )
    num_images = sum(field.widget == "image" for field in fields)
    count = _MAX_IMAGES if num_images else MAX_EXAMPLES
    return Form(
        signature=name,
        fields=fields,
        examples=tuple(
            {field.input: _shown(row[field.input], field) for field in fields}
            for row in mine[:count]
        ),
        predicts=known.label if known else "",
    )


@functools.lru_cache(maxsize=16)
def _known(
    version: Path,
) -> tuple[ModelColumns | None, dict[str, list[str]], dict[str, list[dict[str, Any]]]]:
    """What a version's folder says; the files of a version never change."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for name, inputs in requests(version):
        kept = rows.setdefault(name, [])
        if len(kept) < MAX_EXAMPLES:
            kept.extend(_rows(inputs))
    distinct = {name: _distinct(found)[:MAX_EXAMPLES] for name, found in rows.items()}
    return read_columns(version), read_categories(version), distinct


def _rows(inputs: Mapping[str, np.ndarray]) -> Iterator[dict[str, Any]]:
    lengths = {len(array) for array in inputs.values() if array.ndim}
    for index in range(min(lengths, default=0)):
        yield {name: array[index] for name, array in inputs.items()}


def _distinct(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    found = {repr([(name, row[name]) for name in sorted(row)]): row for row in rows}
    return list(found.values())


def _columns(signature: Signature, known: ModelColumns | None) -> list[Column] | None:
    """The columns in the order of the data; None if an input is of no known type."""
    named = {column.input: column for column in known.columns} if known else {}
    if signature.inputs.keys() == named.keys():
        return list(named.values())
    columns = []
    for name, ref in signature.inputs.items():
        dtype = arrays.DTYPES.get(ref.dtype)
        kind = _KINDS.get(dtype.kind) if dtype is not None else None
        if kind is None:
            return None
        columns.append(Column(name=name, input=name, dtype=kind))
    return columns


def _field(
    column: Column,
    ref: TensorRef,
    categories: Mapping[str, list[str]],
    rows: Sequence[Mapping[str, Any]],
) -> Field:
    rank = len(ref.shape or (-1,)) - 1
    widget = _WIDGETS.get(column.kind) or _plain_widget(column.dtype, rank)
    options = tuple(categories.get(column.name, ())[:MAX_OPTIONS])
    if widget == "choice" and column.dtype != "bytes":
        options = tuple(sorted(options, key=_as_number))
    if widget == "time" and column.dtype == "bytes":
        widget = "line"
    hint = "ISO 8601, such as 2024-05-01T12:30:00" if column.kind == "timestamp" else ""
    return Field(
        input=column.input,
        label=column.name,
        kind=column.kind,
        dtype=column.dtype,
        widget=widget,
        unit=str(column.details.get("unit", "")) if column.kind == "timestamp" else "",
        options=options,
        hint=(hint if widget == "line" else "UTC" if widget == "time" else "")
        or _range(column, widget, rows),
    )


def _plain_widget(dtype: str, rank: int) -> str:
    if rank > 1:
        return "json"
    if rank == 1:
        return "list"
    return {"bytes": "line", "bool": "boolean"}.get(dtype, "number")


def _as_number(text: str) -> tuple[float, str]:
    try:
        return float(text), text
    except ValueError:
        return math.inf, text


def _range(column: Column, widget: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """From which number to which the real rows go."""
    if widget == "list":
        return "values with spaces between them"
    if widget != "number":
        return ""
    found = [row[column.input] for row in rows if not _is_missing(row[column.input], column.dtype)]
    if len(found) < 2 or min(found) == max(found):
        return ""
    return f"{_number(min(found))} to {_number(max(found))} in {len(found)} real rows"


def _shown(value: Any, field: Field) -> str:
    """A value as the field has it; empty if it is missing."""
    if field.widget == "image":
        return _data_url(value) if value else ""
    if field.widget == "json":
        return str(np.asarray(value).tolist())
    if field.widget == "list":
        parts = [_plain(part, field.dtype) for part in np.asarray(value).reshape(-1)]
        while parts and not parts[-1]:
            parts.pop()
        return " ".join(part or "nan" for part in parts)
    return _plain(np.asarray(value).reshape(-1)[0], field.dtype)


def _plain(value: Any, dtype: str) -> str:
    if _is_missing(value, dtype):
        return ""
    if dtype == "bytes":
        return bytes(value).decode("utf-8", "replace")
    if dtype == "bool":
        return str(bool(value)).lower()
    return _number(value)


def _is_missing(value: Any, dtype: str) -> bool:
    if dtype == "float":
        return math.isnan(value)
    return dtype in MISSING and value == MISSING[dtype]


def _number(value: Any) -> str:
    """As few digits as tell it from its neighbors; whole numbers without a point."""
    text = str(value)
    return text.removesuffix(".0")


def _data_url(content: bytes) -> str:
    kind = next((name for start, name in _SIGNATURES if content.startswith(start)), None)
    kind = kind or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"

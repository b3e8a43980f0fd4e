"""The answers of TF Serving's REST API.

Numbers have as few digits as tell them from their neighbours of the same type. NaN and infinities,
which JSON does not have, are `NaN`, `Infinity` and `-Infinity`. A string is `{"b64": "…"}` if it is
of an output whose name ends in `_bytes`, or is no UTF-8.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from serving import arrays
from serving.server.errors import RequestError

_BYTES_SUFFIX = "_bytes"
# Of the others JSON has no values.
_WRITTEN = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 10, 22, 23})


def predictions(outputs: Mapping[str, np.ndarray]) -> bytes:
    """`{"predictions": […]}`: a row after the other.

    Raises:
        RequestError: an output has no rows, or another number of them.
    """
    _check(outputs)
    num_rows: int | None = None
    for name, array in outputs.items():
        if not array.ndim:
            raise _invalid(f"Tensor name: {name} has no shape information ")
        if num_rows not in (None, len(array)):
            raise _invalid(
                f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: "
                f"{num_rows}"
            )
        num_rows = len(array)
    columns = [_rows(name, array) for name, array in outputs.items()]
    if len(columns) == 1:
        return _dump({"predictions": columns[0]}, outputs)
    rows = [dict(zip(outputs, row, strict=True)) for row in zip(*columns, strict=True)]
    return _dump({"predictions": rows}, outputs)


def columnar(outputs: Mapping[str, np.ndarray]) -> bytes:
    """`{"outputs": …}`: a column after the other, or the only one.

    Raises:
        RequestError: an output has a type that JSON has no values for.
    """
    _check(outputs)
    columns: dict[str, Any] = {name: _whole(name, array) for name, array in outputs.items()}
    found = columns if len(columns) > 1 else next(iter(columns.values()))
    return _dump({"outputs": found}, outputs)


def classifications(rows: Sequence[Sequence[tuple[bytes, float]]]) -> bytes:
    """`{"results": [[[label, score], …], …]}`."""
    found = [[[_text(label, False), np.float32(score)] for label, score in row] for row in rows]
    scores = np.array([score for row in rows for _, score in row], np.float32)
    return _dump({"results": found}, {"scores": scores})


def regressions(values: np.ndarray) -> bytes:
    """`{"results": [value, …]}`."""
    return _dump({"results": values}, {"values": values})


def error(message: str) -> bytes:
    """`{"error": "…"}`."""
    return orjson.dumps({"error": message.encode(errors="replace").decode()})


def _check(outputs: Mapping[str, np.ndarray]) -> None:
    if not outputs:
        raise _invalid("Cannot convert empty tensor map to JSON")
    for array in outputs.values():
        if arrays.number_of(array) not in _WRITTEN:
            name = arrays.name_of(arrays.number_of(array) or 0)
            raise _invalid(f"Failed to write JSON value for tensor type: {name}")


def _rows(name: str, array: np.ndarray) -> Sequence[Any]:
    """What the JSON library takes for each row."""
    if array.dtype.kind == "f" and np.isfinite(array).all():
        # Read back, each number has the digits of its own type, and no numpy around it.
        written = orjson.dumps(np.ascontiguousarray(array), option=orjson.OPT_SERIALIZE_NUMPY)
        found: Sequence[Any] = orjson.loads(written)
        return found
    return list(_whole(name, array))


def _whole(name: str, array: np.ndarray) -> Any:
    if array.dtype == object:
        return _strings(array, name.endswith(_BYTES_SUFFIX))
    if array.dtype.kind == "f":
        return np.ascontiguousarray(array) if array.ndim else array[()]
    return array.tolist()


def _strings(array: np.ndarray, as_bytes: bool) -> Any:
    values = array.reshape(-1).tolist()
    # Class names come again and again.
    texts = {value: _text(value, as_bytes) for value in set(values)}
    found = np.empty(len(values), object)
    found[:] = [texts[value] for value in values]
    return found.reshape(array.shape).tolist()


def _text(value: bytes, as_bytes: bool) -> str | dict[str, str]:
    if not as_bytes:
        try:
            return value.decode()
        except UnicodeDecodeError:
            pass
    return {"b64": base64.b64encode(value).decode("ascii")}


def _dump(document: Any, arrays_in_it: Mapping[str, np.ndarray]) -> bytes:
    numbers = (array for array in arrays_in_it.values() if array.dtype.kind == "f")
    if all(np.isfinite(array).all() for array in numbers):
        return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    return json.dumps(document, default=_plain, ensure_ascii=False).encode()


def _plain(value: Any) -> Any:
    """What only numpy knows, for the slow way: as few digits as its own type needs."""
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.floating):
        return float(str(value))
    return value.item() if isinstance(value, np.generic) else str(value)


def _invalid(message: str) -> RequestError:
    return RequestError(message, "INVALID_ARGUMENT")

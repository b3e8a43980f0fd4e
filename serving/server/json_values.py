"""Values of JSON as numpy arrays, as TF Serving reads them.

A value is taken only for the type that the model wants: `1` is a float and an integer, `1.0` only a
float, `true` only a bool. Strings may be `{"b64": "…"}`. Lists are tensors and must be full. The
way that takes what is right is quick; what it cannot take is looked at again, one value after the
other, for the message.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from serving import arrays
from serving.server.errors import RequestError
from serving.tensors import STRING

_MAX_SHOWN = 256
_MAX_DIMS = 32
_INTEGERS = frozenset({3, 4, 5, 6, 9, 22, 23})
_FLOAT32 = 1
_FLOATS = frozenset({_FLOAT32, 2})
_BOOL = 10
_JSON_TYPES: Mapping[type, str] = {
    type(None): "Null",
    bool: "Bool",
    int: "Number",
    float: "Number",
    str: "String",
    list: "Array",
    dict: "Object",
}


def parse(body: bytes) -> dict[str, Any]:
    """The object in a body; NaN and Infinity are numbers.

    Raises:
        RequestError: it is no JSON, or no object.
    """
    if not body:
        raise RequestError("JSON Parse error: The document is empty", "INVALID_ARGUMENT")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        document = _parse_with_nan(body, error)
    if not isinstance(document, dict):
        raise RequestError(f"JSON Value: {shown(document)} Is not object", "INVALID_ARGUMENT")
    return document


def to_array(value: Any, dtype: int) -> np.ndarray:
    """A scalar, or lists of lists, as an array.

    Args:
        value: of a parsed JSON document.
        dtype: TensorFlow's number of the type that the model wants.

    Raises:
        RequestError: a value has another type, or a list another length than those beside it.
    """
    shape = _shape(value)
    if len(shape) > _MAX_DIMS:
        raise RequestError(
            f"Lists are nested {len(shape)} deep, at most {_MAX_DIMS} are taken", "INVALID_ARGUMENT"
        )
    flat: list[Any] = value if shape else [value]
    for size in shape[1:]:
        if {list} != set(map(type, flat)) or {size} != set(map(len, flat)):
            break
        flat = list(itertools.chain.from_iterable(flat))
    else:
        found = _leaves(flat, dtype)
        if found is not None:
            return found.reshape(shape)
    _explain(value, dtype, shape, 0)
    raise AssertionError(f"{shown(value)} is as it should be, but was not taken")


def shown(value: Any) -> str:
    """A value as JSON, cut to a length that fits a message."""
    try:
        text = orjson.dumps(value)
    except orjson.JSONEncodeError:  # Nested too deep, or half a surrogate pair.
        return f"<{_JSON_TYPES[type(value)]}>"
    return text[:_MAX_SHOWN].decode(errors="replace")


def is_base64(value: Any) -> bool:
    """Whether a value is a string in base64, `{"b64": "…"}`."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def decode_base64(value: Mapping[str, str]) -> bytes:
    """The bytes of a `{"b64": "…"}`; the padding at the end may be missing.

    Raises:
        RequestError: it is no base64.
    """
    text = value["b64"]
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError("Unable to base64 decode", "INVALID_ARGUMENT") from error


def _parse_with_nan(body: bytes, error: orjson.JSONDecodeError) -> Any:
    if b"NaN" in body or b"Inf" in body:
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            pass
    raise RequestError(f"JSON Parse error: {error}", "INVALID_ARGUMENT") from error


def _shape(value: Any) -> tuple[int, ...]:
    sizes = []
    while isinstance(value, list):
        sizes.append(len(value))
        value = value[0] if value else None
    return tuple(sizes)


def _leaves(flat: list[Any], dtype: int) -> np.ndarray | None:
    """A flat list as an array, if every value is of the type."""
    kinds = set(map(type, flat))
    if dtype == STRING:
        return _strings(flat, kinds)
    taken = _taken(dtype)
    if not kinds <= taken:
        return None
    try:
        found = np.array(flat, np.float64 if dtype in _FLOATS else arrays.DTYPES[dtype])
        if dtype == _FLOAT32:
            with np.errstate(over="ignore"):  # Too large is infinite, as for TF Serving.
                return found.astype(np.float32)
        return found
    except (OverflowError, ValueError):
        return None


def _strings(flat: list[Any], kinds: set[type]) -> np.ndarray | None:
    array = np.empty(len(flat), object)
    if kinds == {str}:
        # All at once, unless one of them holds what parts them.
        parts = "\0".join(flat).encode("utf-8", "surrogatepass").split(b"\0")
        if len(parts) == len(flat):
            array[:] = parts
            return array
    if not kinds <= {str, dict} or not all(type(v) is str or is_base64(v) for v in flat):
        return None
    array[:] = [
        v.encode("utf-8", "surrogatepass") if type(v) is str else decode_base64(v) for v in flat
    ]
    return array


def _taken(dtype: int) -> frozenset[type]:
    if dtype in _FLOATS:
        return frozenset({int, float})
    if dtype in _INTEGERS:
        return frozenset({int})
    return frozenset({bool}) if dtype == _BOOL else frozenset()


def _explain(value: Any, dtype: int, shape: Sequence[int], level: int) -> None:
    """Raises what is wrong with the first value that is."""
    if not isinstance(value, list):
        if level != len(shape):
            raise RequestError(
                f"JSON Value: {shown(value)} found at incorrect level: {level + 1} in the JSON "
                f"DOM. Expected at level: {len(shape)}",
                "INVALID_ARGUMENT",
            )
        if dtype == STRING and isinstance(value, dict) and not is_base64(value):
            raise RequestError(
                f"JSON Value: {shown(value)} not formatted correctly for base64 data",
                "INVALID_ARGUMENT",
            )
        if dtype != STRING and not _taken(dtype):
            raise RequestError(
                f"Conversion of JSON Value: {shown(value)} to type: {arrays.name_of(dtype)}",
                "UNIMPLEMENTED",
            )
        if _leaves([value], dtype) is None:
            raise RequestError(
                f"JSON Value: {shown(value)} Type: {_JSON_TYPES[type(value)]} is not of expected "
                f"type: {arrays.name_of(dtype)}",
                "INVALID_ARGUMENT",
            )
        return
    if level >= len(shape):
        raise RequestError(
            f"Encountered list at unexpected level: {level} expected < {len(shape)}",
            "INVALID_ARGUMENT",
        )
    if len(value) != shape[level]:
        raise RequestError(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: "
            f"{shape[level]}",
            "INVALID_ARGUMENT",
        )
    for item in value:
        _explain(item, dtype, shape, level + 1)

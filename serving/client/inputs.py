"""Rows as the arrays that a signature takes: which column goes where, and each value's type."""

from __future__ import annotations

import base64
import binascii
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from serving.client.errors import RowError, UsageError, nearest
from serving.client.rows import IMAGE, Row
from serving.client.signature import Arrays, Port, Signature
from serving.columns import MISSING, RAW_SIGNATURE, ModelColumns, as_input

_KINDS = {"f": "float", "i": "int", "u": "int", "O": "bytes", "b": "bool"}
_NAMES = {"float": "a number", "int": "a whole number", "bytes": "text", "bool": "true or false"}
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_SHOWN_CHARACTERS = 60


@dataclasses.dataclass(frozen=True, kw_only=True)
class Input:
    """An input of the signature.

    Attributes:
        column: where its values come from; None if the data has no such column.
        name: in the signature.
        port: its type and shape.
    """

    column: str | None
    name: str
    port: Port

    @property
    def kind(self) -> str:
        """`float`, `int`, `bytes` or `bool`."""
        return _KINDS[self.port.dtype.kind]


def match(
    signature: Signature,
    columns: Sequence[str] | None,
    known: ModelColumns | None,
    *,
    allow_missing: bool = False,
) -> tuple[Input, ...]:
    """Finds the column of each input.

    Args:
        signature: what is asked.
        columns: those of the data, in any order; None if only its rows can tell.
        known: what the pipeline says of the columns, if that is at hand.
        allow_missing: whether the data may lack columns; they are sent as missing.

    Raises:
        UsageError: the data lacks a column, or the signature cannot be asked with columns.
    """
    if columns == (IMAGE,):
        return _match_image(signature, known)
    column_of = {column.input: column.name for column in known.columns} if known else {}
    by_input: dict[str, list[str]] = {}
    for column in columns or ():
        by_input.setdefault(as_input(column), []).append(column)
    inputs, lacking = [], []
    for name, port in signature.inputs.items():
        _check_type(name, port, signature)
        column = column_of.get(name, name)
        if columns is not None and column not in columns:
            found = [] if known else by_input.get(name, [])
            if len(found) > 1:
                raise UsageError(
                    f"The columns {' and '.join(map(repr, found))} could both be the input "
                    f"{name!r}. Name the serving folder with --serving: it knows which."
                )
            lacking += [] if found else [column]
            column = found[0] if found else column
        inputs.append(Input(column=column, name=name, port=port))
    if lacking and (not allow_missing or len(lacking) == len(inputs)):
        _explain(sorted(lacking), columns or ())
    return tuple(inputs)


def _match_image(signature: Signature, known: ModelColumns | None) -> tuple[Input, ...]:
    """The one image that the model reads; it has no other column."""
    images = [column.input for column in known.columns if column.kind == "image"] if known else []
    texts = images or [name for name, port in signature.inputs.items() if port.dtype.kind == "O"]
    if len(texts) != 1:
        raise UsageError(
            f"An image was given, and the model reads {', '.join(signature.inputs)}. Give it "
            'lines of JSON with the image as {"b64": "…"}.'
        )
    for name, port in signature.inputs.items():
        _check_type(name, port, signature)
    return tuple(
        Input(column=IMAGE if name == texts[0] else None, name=name, port=port)
        for name, port in signature.inputs.items()
    )


def _check_type(name: str, port: Port, signature: Signature) -> None:
    if port.dtype.kind not in _KINDS:
        raise UsageError(
            f"The input {name!r} of {signature.name} is {port.dtype}, which no table holds."
        )


def _explain(lacking: Sequence[str], columns: Sequence[str]) -> None:
    raise UsageError(
        f"The data lacks {'the column' if len(lacking) == 1 else 'the columns'} "
        f"{', '.join(map(repr, lacking))}, which the model reads.{nearest(lacking[0], columns)} "
        "Rename a column, or send them as missing with --allow-missing."
    )


def to_arrays(
    rows: Sequence[Row], inputs: Iterable[Input], *, signature: str = RAW_SIGNATURE
) -> Arrays:
    """One array an input, with the rows as the first dimension.

    Args:
        rows: at least one.
        inputs: what to make.
        signature: only in `serving_raw` can a value be missing, but for a number that is NaN.

    Raises:
        RowError: a value has not the type of its input; says where, and which.
    """
    return {item.name: _array(rows, item, signature) for item in inputs}


def _array(rows: Sequence[Row], item: Input, signature: str) -> np.ndarray[Any, Any]:
    missing = MISSING.get(item.kind)
    if signature != RAW_SIGNATURE and item.kind != "float":
        missing = None

    def of(row: Row) -> Any:
        value = _pick(row, item)
        if item.port.row_rank == 0 and (value is None or value == ""):
            return _or_refuse(missing, row, item)
        if item.port.row_rank == 0:
            return _checked(value, row, item)
        return _list(value, row, item, missing)

    values = [of(row) for row in rows]
    if item.port.row_rank == 0:
        return _made(values, item.port.dtype)
    return _made_of_lists(values, rows, item, missing)


def _pick(row: Row, item: Input) -> Any:
    return row.values.get(item.column) if item.column is not None else None


def _or_refuse(missing: Any, row: Row, item: Input) -> Any:
    if missing is None:
        raise RowError(
            f"{row.place}: there is no value for {item.column or item.name!r}, and this model "
            "has no value for a missing one. Fill it in."
        )
    return missing


def _list(value: Any, row: Row, item: Input, missing: Any) -> Any:
    if value is None or value == "":
        return []
    if isinstance(value, str) and item.port.row_rank == 1:
        value = value.split()
    if not isinstance(value, list):
        value = [value]
    if item.port.row_rank > 1:
        return value  # Checked by its shape and type when the array is made.
    return [
        _or_refuse(missing, row, item) if part is None else _checked(part, row, item)
        for part in value
    ]


def _made_of_lists(
    values: Sequence[Any], rows: Sequence[Row], item: Input, missing: Any
) -> np.ndarray[Any, Any]:
    """Lists of one length: that of the signature, or of the longest, filled up with missing."""
    shape = (item.port.shape or ())[1:]
    if len(shape) > 1:
        try:
            return np.asarray(values, item.port.dtype)
        except (ValueError, TypeError) as error:
            raise RowError(
                f"{rows[0].place}: {item.name!r} takes nested lists of the shape {list(shape)}: "
                f"{error}."
            ) from error
    width = shape[0] if shape and shape[0] > 0 else max([1, *map(len, values)])
    for row, found in zip(rows, values, strict=True):
        if len(found) > width or (len(found) < width and missing is None):
            raise RowError(
                f"{row.place}: {len(found)} value(s) for {item.column or item.name!r}, which "
                f"takes {width}."
            )
    filled = [value for found in values for value in [*found, *[missing] * (width - len(found))]]
    return _made(filled, item.port.dtype).reshape(len(values), width)


def _made(values: Sequence[Any], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    if dtype.kind == "O":
        array = np.empty(len(values), object)
        array[:] = values
        return array
    with np.errstate(over="ignore"):  # Beyond float32 is infinite, as in the pipeline.
        return np.asarray(values).astype(dtype)


def _checked(value: Any, row: Row, item: Input) -> Any:
    try:
        return _PARSERS[item.kind](value, item.port.dtype)
    except (ValueError, TypeError, OverflowError, binascii.Error):
        shown = repr(value)
        if len(shown) > _SHOWN_CHARACTERS:
            shown = shown[: _SHOWN_CHARACTERS - 1] + "…"
        raise RowError(
            f"{row.place}: {shown} in the column {item.column or item.name!r} is not "
            f"{_NAMES[item.kind]}. Fix the cell, or leave it empty if it is missing."
        ) from None


def _float(value: Any, dtype: np.dtype[Any]) -> float:
    if isinstance(value, str):
        # What Python takes for a number and no other tool does.
        if "_" in value or not value.isascii():
            raise ValueError(value)
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(value)
    return float(value)


def _int(value: Any, dtype: np.dtype[Any]) -> int:
    if isinstance(value, str):
        if "_" in value or not value.isascii():
            raise ValueError(value)
        number = int(value)
    elif isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        number = int(value)  # JSON's true is 1.
    else:
        raise TypeError(value)
    bounds = np.iinfo(dtype)
    if not bounds.min <= number <= bounds.max:
        raise OverflowError(value)
    return number


def _bytes(value: Any, dtype: np.dtype[Any]) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, Mapping) and set(value) == {"b64"}:
        return base64.b64decode(value["b64"], validate=True)
    raise TypeError(value)


def _bool(value: Any, dtype: np.dtype[Any]) -> bool:
    if isinstance(value, bool):
        return value
    return _BOOLEANS[str(value).lower()] if str(value).lower() in _BOOLEANS else _never(value)


def _never(value: Any) -> bool:
    raise ValueError(value)


_PARSERS: Mapping[str, Callable[[Any, np.dtype[Any]], Any]] = {
    "float": _float,
    "int": _int,
    "bytes": _bytes,
    "bool": _bool,
}

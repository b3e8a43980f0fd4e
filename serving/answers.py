"""What a model answered, as columns of a table: a value for each row and column.

label [N] of strings                    label
prediction [N, 1]                       prediction
scores [N, 2], classes [N, 2] names     scores:no, scores:yes
embedding [N, 3]                        embedding:0, embedding:1, embedding:2
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

Arrays = Mapping[str, np.ndarray[Any, Any]]
_CLASSES = "classes"
_SCORES = "scores"


def to_columns(outputs: Arrays, num_rows: int) -> dict[str, np.ndarray[Any, Any]]:
    """One array [N] a column; several numbers of a row become several columns.

    Class names beside scores of the same shape name the columns of the scores.

    Args:
        outputs: by name, with the rows as the first dimension.
        num_rows: how many rows were asked about.

    Raises:
        ValueError: an output has not that many rows.
    """
    names = _class_names(outputs)
    columns: dict[str, np.ndarray[Any, Any]] = {}
    for name, array in sorted(outputs.items()):
        if not array.shape or array.shape[0] != num_rows:
            raise ValueError(
                f"the output {name!r} has the shape {list(array.shape)}, for {num_rows} row(s)"
            )
        if names and name == _CLASSES:
            continue
        flat = array.reshape(num_rows, -1)
        if flat.shape[1] == 1:
            columns[name] = flat[:, 0]
            continue
        parts = names if names and name == _SCORES else [str(i) for i in range(flat.shape[1])]
        for index, part in enumerate(parts):
            columns[f"{name}:{part}"] = flat[:, index]
    return columns


def to_rows(outputs: Arrays, num_rows: int) -> list[dict[str, Any]]:
    """One object a row, as JSON has it: bytes that are no UTF-8 become `{"b64": …}`.

    Args:
        outputs: by name, with the rows as the first dimension.
        num_rows: how many rows were asked about.
    """
    listed = {name: plain(array) for name, array in sorted(outputs.items())}
    return [{name: values[row] for name, values in listed.items()} for row in range(num_rows)]


def plain(array: np.ndarray[Any, Any]) -> Any:
    """Nested lists of numbers, booleans and texts; a last dimension of 1 is left out."""
    if array.ndim > 1 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.dtype.kind != "O" and array.dtype != np.float32:
        return array.tolist()
    flat = np.empty(array.size, object)
    if array.dtype == np.float32:
        # As few digits as tell it from its neighbors: 0.1, not 0.10000000149011612.
        flat[:] = [float(str(value)) for value in array.reshape(-1)]
    else:
        flat[:] = [text(value) for value in array.reshape(-1)]
    return flat.reshape(array.shape).tolist()


def text(value: bytes) -> str | dict[str, str]:
    """Bytes as JSON can have them."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode("ascii")}


def _class_names(outputs: Arrays) -> list[str]:
    """The names of the classes, if they are the same in every row and belong to the scores."""
    classes, scores = outputs.get(_CLASSES), outputs.get(_SCORES)
    if classes is None or scores is None or classes.shape != scores.shape or classes.ndim != 2:
        return []
    if not len(classes) or not np.array_equal(classes, np.broadcast_to(classes[0], classes.shape)):
        return []
    names = [bytes(name).decode("utf-8", "replace") for name in classes[0]]
    return names if len(set(names)) == len(names) and len(names) > 1 else []

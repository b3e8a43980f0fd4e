"""Classify and Regress: which signatures can be asked so, and how their outputs are read.

Both take tf.Examples, serialized, in one input named `inputs`. A classification answers in
`classes` (strings), `scores` (floats) or both, a class a column; a regression in `outputs`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serving import arrays
from serving.server.errors import RequestError
from serving.signatures import Signature
from serving.tensors import STRING

INPUT = "inputs"
CLASSES = "classes"
SCORES = "scores"
OUTPUTS = "outputs"
_FLOAT = 1


def serialized(request_input: Any) -> np.ndarray:
    """The tf.Examples of a `tensorflow.serving.Input`, an array of bytes.

    Raises:
        RequestError: there is none.
    """
    if request_input.WhichOneof("kind") == "example_list_with_context":
        listed = request_input.example_list_with_context
        # Two serialized messages, one behind the other, are the merged message.
        context = listed.context.SerializeToString()
        rows = [context + example.SerializeToString() for example in listed.examples]
    else:
        rows = [example.SerializeToString() for example in request_input.example_list.examples]
    if not rows:
        raise RequestError("Input is empty.", "INVALID_ARGUMENT")
    return as_array(rows)


def as_array(rows: Sequence[bytes]) -> np.ndarray:
    """Serialized tf.Examples as an array."""
    array = np.empty(len(rows), object)
    array[:] = rows
    return array


def check_classify(name: str, signature: Signature) -> None:
    """Whether a signature can be asked to classify.

    Raises:
        RequestError: it cannot.
    """
    if len(signature.inputs) != 1:
        _refuse("Expected one input Tensor.", name)
    if len(signature.outputs) not in (1, 2):
        _refuse(f"Expected one or two output Tensors, found {len(signature.outputs)}", name)
    _check_input("classification", name, signature)
    if not {CLASSES, SCORES} & signature.outputs.keys():
        _refuse(
            "Expected classification signature outputs to contain at least one of "
            f'"{CLASSES}" or "{SCORES}"',
            name,
        )


def check_regress(name: str, signature: Signature) -> None:
    """Whether a signature can be asked to regress.

    Raises:
        RequestError: it cannot.
    """
    if len(signature.inputs) != 1:
        _refuse("Expected one input Tensor.", name)
    if len(signature.outputs) != 1:
        _refuse("Expected one output Tensor.", name)
    _check_input("regression", name, signature)
    if OUTPUTS not in signature.outputs:
        _refuse("No regression outputs found in SignatureDef", name)


def classifications(
    outputs: Mapping[str, np.ndarray], num_rows: int
) -> list[list[tuple[bytes, float]]]:
    """Each row's classes with their scores; an empty label, or 0, where the model gives none.

    Raises:
        RequestError: the outputs have another type or shape.
    """
    classes, scores = outputs.get(CLASSES), outputs.get(SCORES)
    for name, array, dtype in ((CLASSES, classes, STRING), (SCORES, scores, _FLOAT)):
        if array is not None:
            _check_type(name, array, dtype)
            if array.ndim != 2:
                _refuse(
                    "Expected Tensor shape: [batch_size num_classes] but got "
                    f"{list(array.shape)} of '{name}'"
                )
            if len(array) != num_rows:
                _refuse(f"Expected {name} output batch size of {num_rows}. Got: {len(array)}")
    if classes is not None and scores is not None and classes.shape != scores.shape:
        _refuse(
            "Tensors class and score should match in dim_size(1). "
            f"Got {classes.shape[1]} vs. {scores.shape[1]}"
        )
    if classes is None:
        assert scores is not None
        classes = np.full(scores.shape, b"", object)
    if scores is None:
        scores = np.zeros(classes.shape, np.float32)
    return [
        list(zip(*row, strict=True)) for row in zip(classes.tolist(), scores.tolist(), strict=True)
    ]


def regressions(outputs: Mapping[str, np.ndarray], num_rows: int) -> np.ndarray:
    """The value of each row.

    Raises:
        RequestError: the output has another type or shape.
    """
    values = outputs[OUTPUTS]
    if values.shape not in ((num_rows,), (num_rows, 1)):
        _refuse(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            f"{list(values.shape)}"
        )
    _check_type(OUTPUTS, values, _FLOAT)
    return values.reshape(-1)


def _check_input(what: str, name: str, signature: Signature) -> None:
    if INPUT not in signature.inputs or signature.inputs[INPUT].dtype != STRING:
        _refuse(f"No {what} inputs found in SignatureDef", name)


def _check_type(name: str, array: np.ndarray, dtype: int) -> None:
    if arrays.number_of(array) != dtype:
        _refuse(
            f"Expected {name} Tensor of type {arrays.name_of(dtype)}. Got: "
            f"{arrays.name_of(arrays.number_of(array) or 0)}"
        )


def _refuse(why: str, signature: str | None = None) -> None:
    where = f" (signature '{signature}')" if signature else ""
    raise RequestError(f"{why}{where}", "INVALID_ARGUMENT")

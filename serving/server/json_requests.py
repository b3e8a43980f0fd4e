"""The bodies of TF Serving's REST API: what is asked, as arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

import numpy as np

from serving.protos import example_pb2, feature_pb2
from serving.server.errors import RequestError
from serving.server.examples import as_array
from serving.server.json_values import decode_base64, is_base64, parse, shown, to_array
from serving.signatures import Signature, TensorRef

Inputs = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictBody:
    """A predict request.

    Attributes:
        signature: its name; empty for the default.
        inputs: the arrays.
        by_row: whether rows were given (`instances`), and are wanted back (`predictions`).
    """

    signature: str
    inputs: Inputs
    by_row: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExamplesBody:
    """A classify or regress request: the signature's name and the serialized tf.Examples."""

    signature: str
    rows: np.ndarray


def read_predict(body: bytes, find: Callable[[str], Signature]) -> PredictBody:
    """Reads the body of `:predict`.

    Args:
        body: as it came.
        find: gives the signature of a name.

    Raises:
        RequestError: it is malformed, or not what the signature takes.
    """
    document = parse(body)
    name = _signature_name(document)
    inputs = find(name).inputs
    if not inputs:
        raise _invalid(f"Failed to get input map for signature: {name or 'DEFAULT'}")
    by_row, by_column = "instances" in document, "inputs" in document
    if by_row and by_column:
        raise _invalid(
            f"JSON Value: {shown(document)} Not formatted correctly expecting only one of "
            "'inputs' or 'instances' keys to exist "
        )
    if by_row:
        instances = document["instances"]
        if not isinstance(instances, list):
            raise _invalid(
                f"JSON Value: {shown(document)} Expecting 'instances' to be an list/array"
            )
        if not instances:
            raise _invalid(f"JSON Value: {shown(document)} No values in 'instances' array")
        return PredictBody(signature=name, inputs=_from_rows(instances, inputs), by_row=True)
    if by_column:
        found = _from_columns(document["inputs"], inputs)
        return PredictBody(signature=name, inputs=found, by_row=False)
    raise _invalid("Missing 'inputs' or 'instances' key")


def read_examples(body: bytes) -> ExamplesBody:
    """Reads the body of `:classify` or `:regress`.

    Raises:
        RequestError: it is malformed.
    """
    document = parse(body)
    name = _signature_name(document)
    context = b""
    if "context" in document:
        context = _example(document["context"])
    if "examples" not in document:
        raise _invalid(
            f"JSON Value: {shown(document)} When method is classify, key 'examples' is expected "
            "and was not found"
        )
    examples = document["examples"]
    if not isinstance(examples, list):
        raise _invalid(
            f"JSON Value: {shown(document)} Expecting 'examples' value to be an list/array"
        )
    if not examples:
        raise _invalid(f"JSON Value: {shown(document)} 'examples' value is an empty array")
    # Two serialized messages, one behind the other, are the merged message.
    return ExamplesBody(signature=name, rows=as_array([context + _example(e) for e in examples]))


def _signature_name(document: Mapping[str, Any]) -> str:
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise _invalid(
            f"JSON Value: {shown(document)} not formatted correctly. 'signature_name' key must be "
            "a string value."
        )
    return name


def _from_rows(instances: list[Any], inputs: Mapping[str, TensorRef]) -> Inputs:
    if not _is_object(instances[0]):
        if len(inputs) > 1:
            raise _invalid(
                "instances is a plain list, but expecting list of objects as multiple input "
                "tensors required as per tensorinfo_map"
            )
        for number, item in enumerate(instances):
            if _is_object(item):
                raise _invalid(
                    f"Expecting value/list but got object at item {number} of input list"
                )
        ((name, ref),) = inputs.items()
        return {name: _rows(instances, ref, "")}
    columns = _columns(instances, inputs)
    if columns is None:
        for number, item in enumerate(instances):
            if not _is_object(item):
                raise _invalid(f"Expecting object but got list at item {number} of input list")
            if item.keys() != inputs.keys():
                raise _other_keys(number, item, inputs)
        columns = [[item[name] for item in instances] for name in inputs]
    return {
        name: _rows(column, ref, f" key: {name}")
        for (name, ref), column in zip(inputs.items(), columns, strict=True)
    }


def _columns(instances: list[Any], inputs: Mapping[str, TensorRef]) -> list[list[Any]] | None:
    """The values of each input; None if not every row is an object with exactly these."""
    # One name alone gives no tuples, and could be `b64`.
    if len(inputs) < 2 or {dict} != set(map(type, instances)):
        return None
    if {len(inputs)} != set(map(len, instances)):
        return None
    try:
        return [list(column) for column in zip(*map(itemgetter(*inputs), instances), strict=True)]
    except KeyError:
        return None


def _rows(values: list[Any], ref: TensorRef, where: str) -> np.ndarray:
    try:
        return to_array(values, ref.dtype)
    except RequestError as error:
        # Once more, one after the other: the message names the row.
        shape: tuple[int, ...] | None = None
        for number, value in enumerate(values):
            start = f"Failed to process element: {number}{where} of 'instances' list. Error: "
            try:
                row = to_array(value, ref.dtype)
            except RequestError as inner:
                raise RequestError(f"{start}{inner.code}: {inner}", inner.code) from error
            if shape is not None and row.shape != shape:
                raise _invalid(
                    f"{start}INVALID_ARGUMENT: Expecting shape {_shape(shape)} but got: "
                    f"{_shape(row.shape)}"
                ) from error
            shape = row.shape
        raise


def _from_columns(value: Any, inputs: Mapping[str, TensorRef]) -> Inputs:
    if not _is_object(value):
        if len(inputs) > 1:
            raise _invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            )
        ((name, ref),) = inputs.items()
        return {name: to_array(value, ref.dtype)}
    for name in inputs:
        if name not in value:
            raise _invalid(f"Missing named input: {name} in 'inputs' object.")
    return {name: to_array(value[name], ref.dtype) for name, ref in inputs.items()}


def _other_keys(number: int, item: Mapping[str, Any], inputs: Mapping[str, TensorRef]) -> Exception:
    for name in item:
        if name not in inputs:
            return _invalid(
                f"Failed to process element: {number} key: {name} of 'instances' list. Error: "
                f"INVALID_ARGUMENT: JSON object: does not have named input: {name}"
            )
    return _invalid(
        f"Failed to process element: {number} of 'instances' list. JSON object: {shown(item)} keys "
        f"must be equal to: {','.join(inputs)}"
    )


def _example(value: Any) -> bytes:
    """A JSON object of column to value, or to list of values, as a serialized tf.Example."""
    if not isinstance(value, dict):
        kind = {list: "Array", str: "String", type(None): "Null"}.get(type(value), "Number")
        raise _invalid(f"Example must be JSON object but got JSON {kind}")
    example = example_pb2.Example()
    for name, content in value.items():
        values = content if isinstance(content, list) else [content]
        example.features.feature[name].CopyFrom(_feature(name, values))
    written: bytes = example.SerializeToString(deterministic=True)
    return written


def _feature(name: str, values: list[Any]) -> Any:
    feature = feature_pb2.Feature()
    for value in values:
        kind, plain = _kind(name, value)
        taken = feature.WhichOneof("kind")
        if taken not in (None, kind):
            expected = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}[taken]
            raise _invalid(f"Unexpected element type in feature: {name} expecting type: {expected}")
        getattr(feature, kind).value.append(plain)
    return feature


def _kind(name: str, value: Any) -> tuple[str, bytes | float | int]:
    if isinstance(value, str):
        return "bytes_list", value.encode("utf-8", "surrogatepass")
    if is_base64(value):
        return "bytes_list", decode_base64(value)
    if isinstance(value, float):
        return "float_list", value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise _invalid(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
        return "int64_list", int(value)
    kind = {list: "Array", dict: "Object", type(None): "Null"}[type(value)]
    raise _invalid(f"Feature: {name} has element with unexpected JSON type: {kind}")


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _shape(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _invalid(message: str) -> RequestError:
    return RequestError(message, "INVALID_ARGUMENT")

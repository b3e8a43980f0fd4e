"""What a server says a signature takes and gives, the same by REST and by gRPC."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from serving import tensor_protos
from serving.client.errors import UsageError
from serving.protos import types_pb2

Arrays = Mapping[str, np.ndarray[Any, Any]]


@dataclasses.dataclass(frozen=True)
class Port:
    """An input or an output.

    Attributes:
        dtype: the numpy type; bytes are objects.
        shape: of all rows together; -1 for what is unknown; None if even the rank is.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...] | None

    @property
    def row_rank(self) -> int:
        """How many dimensions a row has; 0 for a single value."""
        return max(0, len(self.shape or ()) - 1)


@dataclasses.dataclass(frozen=True)
class Signature:
    """What a signature takes and gives, by name."""

    name: str
    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]


def from_json(document: Mapping[str, Any]) -> dict[str, Signature]:
    """The signatures in what `GET /v1/models/<model>/metadata` answers."""
    found = document["metadata"]["signature_def"]["signature_def"]

    def port(info: Mapping[str, Any]) -> Port:
        shape = info.get("tensor_shape") or {}
        dims = tuple(int(dim["size"]) for dim in shape.get("dim") or ())
        return _port(types_pb2.DataType.Value(info["dtype"]), dims, shape.get("unknown_rank"))

    return {
        name: Signature(
            name,
            {key: port(info) for key, info in (signature.get("inputs") or {}).items()},
            {key: port(info) for key, info in (signature.get("outputs") or {}).items()},
        )
        for name, signature in found.items()
        if not name.startswith("__")
    }


def from_proto(signatures: Any) -> dict[str, Signature]:
    """The signatures in a SignatureDefMap."""

    def port(info: Any) -> Port:
        shape = info.tensor_shape
        return _port(info.dtype, tuple(dim.size for dim in shape.dim), shape.unknown_rank)

    return {
        name: Signature(
            name,
            {key: port(info) for key, info in signature.inputs.items()},
            {key: port(info) for key, info in signature.outputs.items()},
        )
        for name, signature in signatures.signature_def.items()
        if not name.startswith("__")
    }


def _port(dtype: int, dims: tuple[int, ...], unknown_rank: bool | None) -> Port:
    try:
        return Port(tensor_protos.numpy_dtype(dtype), None if unknown_rank else dims)
    except ValueError as error:
        raise UsageError(f"The model cannot be asked by this client: {error}.") from error

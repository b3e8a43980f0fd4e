"""Checks a request against the signature that it asks, before the model sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from serving import arrays
from serving.server.errors import RequestError
from serving.server.servable import DEFAULT_SIGNATURE, Servable
from serving.signatures import Signature, TensorRef


def find_signature(servable: Servable, name: str | None) -> tuple[str, Signature]:
    """The signature of that name; `serving_default` if none is given.

    Raises:
        RequestError: the model has none of that name.
    """
    name = name or DEFAULT_SIGNATURE
    signature = servable.signatures.get(name)
    if signature is None:
        known = ", ".join(sorted(servable.signatures)) or "none"
        raise RequestError(
            f'Serving signature name: "{name}" not found in signature def. The model has: {known}',
            "INVALID_ARGUMENT",
        )
    return name, signature


def check(signature: Signature, inputs: Mapping[str, np.ndarray]) -> None:
    """Whether the arrays are what the signature takes: names, types and shapes.

    Raises:
        RequestError: they are not.
    """
    if inputs.keys() != signature.inputs.keys():
        raise RequestError(_other_names(signature.inputs, inputs), "INVALID_ARGUMENT")
    for name, ref in signature.inputs.items():
        given = inputs[name]
        if arrays.number_of(given) != ref.dtype:
            raise RequestError(
                f"Input '{name}' has type {given.dtype}, expected {arrays.name_of(ref.dtype)}",
                "INVALID_ARGUMENT",
            )
        if not _fits(given.shape, ref):
            raise RequestError(
                f"Input '{name}' has shape {list(given.shape)}, expected "
                f"{['?' if size < 0 else size for size in ref.shape or ()]}".replace("'?'", "?"),
                "INVALID_ARGUMENT",
            )


def _fits(shape: tuple[int, ...], ref: TensorRef) -> bool:
    if ref.shape is None:
        return True
    return len(shape) == len(ref.shape) and all(
        expected in (-1, size) for size, expected in zip(shape, ref.shape, strict=True)
    )


def _other_names(expected: Iterable[str], given: Iterable[str]) -> str:
    wanted, sent = sorted(expected), sorted(given)
    extra = ",".join(name for name in sent if name not in wanted)
    missing = ",".join(name for name in wanted if name not in sent)
    return (
        f"input size does not match signature: {len(sent)}!={len(wanted)} "
        f"len({{{','.join(sent)}}}) != len({{{','.join(wanted)}}}). "
        f"Sent extra: {{{extra}}}. Missing but required: {{{missing}}}."
    )

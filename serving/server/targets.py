"""Who is asked, and what comes back: the words that the engine and its fronts share."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

import numpy as np

State = Literal["START", "LOADING", "AVAILABLE", "UNLOADING", "END"]


@dataclasses.dataclass(frozen=True)
class Target:
    """The model that a request is for, and which version of it.

    Attributes:
        model: its name.
        version: exactly this one.
        label: the one this label points to; not together with `version`.
    """

    model: str
    version: int | None = None
    label: str | None = None

    def __str__(self) -> str:
        """As TF Serving writes it in its messages."""
        if self.version is None:
            return f"Latest({self.model})"
        return f"Specific({self.model}, {self.version})"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    """What a model answered.

    Attributes:
        version: the version that answered.
        signature: the signature that was asked.
        outputs: its outputs by name; strings are object arrays of bytes.
        seconds: from the request's entry into the engine to its answer.
    """

    version: int
    signature: str
    outputs: Mapping[str, np.ndarray]
    seconds: float


@dataclasses.dataclass(frozen=True)
class VersionStatus:
    """How far a version is, in the terms of TF Serving's `GetModelStatus`.

    Attributes:
        version: which.
        state: from START over LOADING to AVAILABLE, and over UNLOADING to END.
        code: the name of a gRPC status code; other than OK if it could not be loaded.
        message: why.
    """

    version: int
    state: State
    code: str = "OK"
    message: str = ""

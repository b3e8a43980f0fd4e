"""`python -m serving.client check`: one real row, asked in every way, must get the same answer.

Each server is asked for the state of its versions, then for a prediction by every available
version, by every label, and without either. An answer by a label must be that of the version which
`models.config` gives the label; answers by REST and by gRPC must agree.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from serving import labels
from serving.client import defaults, whom
from serving.client.connecting import connect
from serving.client.connection import Access, Address, Connection, Target
from serving.client.errors import ClientError, Disagreement
from serving.client.inputs import match, to_arrays
from serving.client.rows import Row
from serving.client.signature import Arrays, Port, Signature
from serving.columns import RAW_SIGNATURE
from serving.server import warmup

_AVAILABLE = "AVAILABLE"
# REST writes numbers in decimal digits.
_TOLERANCE = 1e-5


@dataclasses.dataclass
class Check:
    """What is checked, and what was found.

    Attributes:
        target: the model.
        folder: the serving folder, if it is on this machine.
        signature: the name of the signature to ask; None for the usual one.
        answers: of each version, the first answer that was given.
        problems: one sentence each.
    """

    target: Target
    folder: Path | None
    signature: str | None
    answers: dict[int, Arrays] = dataclasses.field(default_factory=dict)
    problems: list[str] = dataclasses.field(default_factory=list)

    async def server(self, address: Address, access: Access) -> None:
        """Asks one server."""
        async with connect(address, access) as connection:
            states = await connection.states(Target(model=self.target.model))
            told = ", ".join(f"{version} {state}" for version, state in sorted(states.items()))
            print(f"{address}  {self.target.model}: versions {told or 'none'}")
            available = [version for version, state in states.items() if state == _AVAILABLE]
            if not available:
                self.problems.append(f"{address} has no version of {self.target.model} available.")
            for version in sorted(available):
                await self._version(connection, address, version)
            for label, version in self._labels().items():
                await self._label(connection, address, label, version)
            await self._unnamed(connection, address)

    async def _version(self, connection: Connection, address: Address, version: int) -> None:
        outputs = await self._ask(connection, Target(model=self.target.model, version=version))
        known = self.answers.setdefault(version, outputs)
        self._say(address, f"version {version}", _differs(known, outputs))

    async def _label(
        self, connection: Connection, address: Address, label: str, version: int
    ) -> None:
        outputs = await self._ask(connection, Target(model=self.target.model, label=label))
        known = self.answers.get(version)
        if known is None:
            self.problems.append(f"{address}: {label} is version {version}, which is not loaded.")
            return
        self._say(address, f"label {label}, version {version}", _differs(known, outputs))

    async def _unnamed(self, connection: Connection, address: Address) -> None:
        outputs = await self._ask(connection, Target(model=self.target.model))
        same = [number for number, found in self.answers.items() if not _differs(found, outputs)]
        what = "" if same else "its answer is that of no version"
        self._say(address, "without a version", what)

    async def _ask(self, connection: Connection, target: Target) -> Arrays:
        signature = whom.signature(await connection.signatures(target), self.signature)
        inputs = _example(whom.version_folder(target, self.folder), signature)
        answer = await connection.predict(target, signature, inputs)
        return answer.outputs

    def _labels(self) -> Mapping[str, int]:
        if self.folder is None:
            return {}
        model = labels.read_config(self.folder / "models.config").get(self.target.model)
        return model.labels if model else {}

    def _say(self, address: Address, what: str, problem: str) -> None:
        print(f"{address}  {what}: {problem or 'ok'}")
        if problem:
            self.problems.append(f"{address}, {what}: {problem}.")


def run(args: argparse.Namespace) -> int:
    """Runs the verb.

    Raises:
        Disagreement: something was found wrong; all of it is told.
        ClientError: a server does not answer, or refuses.
    """
    access = whom.access(args, defaults.TOKEN)
    folder = whom.serving_folder(args, defaults.SERVING)
    check = Check(whom.target(args, folder), folder, args.signature)
    for address in [Address.parse(text) for text in args.server or [defaults.SERVER]]:
        try:
            asyncio.run(check.server(address, access))
        except ClientError as error:
            if len(args.server or ()) < 2:
                raise
            print(f"{address}  {error}")
            check.problems.append(str(error))
    if check.problems:
        raise Disagreement("\n".join([f"{len(check.problems)} problem(s):", *check.problems]))
    return 0


def _example(version: Path | None, signature: Signature) -> Arrays:
    """A real request of the warm-up file, or else a row without any value."""
    for name, inputs in warmup.requests(version) if version else ():
        if name == signature.name and inputs.keys() == signature.inputs.keys():
            return inputs
    if signature.name == RAW_SIGNATURE:
        row = Row("the row without values", {})
        return to_arrays([row], match(signature, None, None))
    return {name: _nothing(port) for name, port in signature.inputs.items()}


def _nothing(port: Port) -> np.ndarray[Any, Any]:
    """One row of zeros or of empty strings."""
    shape = [1, *(max(1, size) for size in (port.shape or (1,))[1:])]
    return np.full(shape, b"" if port.dtype.kind == "O" else 0, port.dtype)


def _differs(known: Arrays, found: Arrays) -> str:
    """What is different; empty if nothing is."""
    if known.keys() != found.keys():
        return f"it answers {', '.join(sorted(found))}, not {', '.join(sorted(known))}"
    for name, expected in sorted(known.items()):
        given = found[name]
        same = expected.shape == given.shape and (
            np.array_equal(expected, given)
            if expected.dtype.kind == "O"
            else np.allclose(expected, given, _TOLERANCE, _TOLERANCE, equal_nan=True)
        )
        if not same:
            return f"it answers another {name}"
    return ""

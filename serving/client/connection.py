"""The way to a server: an address, and what REST and gRPC connections have in common."""

from __future__ import annotations

import abc
import dataclasses
import types
import urllib.parse
from pathlib import Path
from typing import Self

from serving.client.errors import UsageError
from serving.client.signature import Arrays, Signature

SCHEMES = ("http", "https", "grpc", "grpcs")
_PORTS = {"http": 8501, "https": 8501, "grpc": 8500, "grpcs": 8500}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Address:
    """Where a server listens.

    Attributes:
        scheme: `http`, `https`, `grpc` or `grpcs`.
        host: a name or an address.
        port: of the host.
        path: what comes before `/v1` in REST; empty as a rule.
    """

    scheme: str
    host: str
    port: int
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Reads `http://host:port`, `https://…`, `grpc://…` or `grpcs://…`.

        Raises:
            UsageError: it is something else.
        """
        try:
            parts = urllib.parse.urlsplit(text)
            host, port = parts.hostname, parts.port
            if parts.scheme not in SCHEMES or not host:
                raise ValueError(text)
            if parts.username or parts.query or parts.fragment:
                raise ValueError(text)
        except ValueError:
            raise UsageError(
                f"--server {text!r} is no address. Write http://HOST:PORT for REST or "
                "grpc://HOST:PORT for gRPC; https:// and grpcs:// with TLS."
            ) from None
        port = port if port is not None else _PORTS[parts.scheme]
        return cls(scheme=parts.scheme, host=host, port=port, path=parts.path.rstrip("/"))

    @property
    def netloc(self) -> str:
        """`host:port`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.path}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """Which model to ask, and which version of it: a number, a label, or what the server takes."""

    model: str
    version: int | None = None
    label: str | None = None

    def __str__(self) -> str:
        if self.version is not None:
            return f"{self.model}, version {self.version}"
        return f"{self.model}, label {self.label}" if self.label else self.model


@dataclasses.dataclass(frozen=True, kw_only=True)
class Access:
    """How to be let in.

    Attributes:
        token: the bearer token; empty if the server wants none.
        ca: the certificate that signed the server's; None for those the machine trusts.
        timeout_s: how long to wait for one answer.
    """

    token: str = dataclasses.field(default="", repr=False)
    ca: Path | None = None
    timeout_s: float = 30.0


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a server answered: the outputs by name, and the version, where the server names it."""

    outputs: Arrays
    version: str | None


class Connection(abc.ABC):
    """An open way to one server; an async context manager.

    Every method raises Unreachable if there is no answer, Refused if the server says no, and Busy
    if it says so for now.
    """

    @abc.abstractmethod
    async def signatures(self, target: Target) -> dict[str, Signature]:
        """The signatures of a model, by name."""

    @abc.abstractmethod
    async def states(self, target: Target) -> dict[int, str]:
        """The state of each version that the server knows, such as `AVAILABLE`."""

    @abc.abstractmethod
    async def predict(self, target: Target, signature: Signature, inputs: Arrays) -> Answer:
        """Asks for one batch of rows."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Closes the connection."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        await self.close()

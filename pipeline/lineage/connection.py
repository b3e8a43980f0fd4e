"""Where a metadata store is, as a user names it: a file, a database, or a server.

    output/metadata.db                          a SQLite file, or the folder that holds it
    mysql://user@host:3306/database             MySQL or MariaDB; `?socket=/path` instead of a host
    postgresql://user@host:5432/database
    grpc://host:8080                            ML Metadata's own server

A password comes from the environment, never from the address, so that it is in no log and no list
of processes: WAYBILL_METADATA_PASSWORD, or WAYBILL_METADATA_PASSWORD_FILE with the path of a file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from components.errors import ConfigError, nearest

PASSWORD, PASSWORD_FILE = "WAYBILL_METADATA_PASSWORD", "WAYBILL_METADATA_PASSWORD_FILE"
FILE_NAME = "metadata.db"

Kind = Literal["sqlite", "mysql", "postgresql", "grpc"]
_PORTS: Mapping[str, int] = {"mysql": 3306, "postgresql": 5432, "grpc": 8080}
_NAMES: Mapping[str, Kind] = {
    "sqlite": "sqlite",
    "mysql": "mysql",
    "mariadb": "mysql",
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "grpc": "grpc",
}


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a store is; it holds no secret.

    Attributes:
        kind: how it is read.
        path: of a SQLite file.
        host: of a server.
        port: of a server.
        user: of a database.
        database: its name.
        socket: of a MySQL server on this machine, instead of its host.
    """

    kind: Kind
    path: Path = Path()
    host: str = ""
    port: int = 0
    user: str = ""
    database: str = ""
    socket: str = ""

    def __str__(self) -> str:
        """As it may be shown to anyone."""
        if self.kind == "sqlite":
            return str(self.path)
        user = f"{self.user}@" if self.user else ""
        database = f"/{self.database}" if self.database else ""
        socket = f"?socket={self.socket}" if self.socket else ""
        return f"{self.kind}://{user}{self.host}:{self.port}{database}{socket}"


def parse(text: str) -> Address:
    """Reads an address.

    Args:
        text: in one of the forms that the module's docstring lists.

    Raises:
        ConfigError: it has no such form, or holds a password; what it says is then not repeated.
    """
    if "://" not in text:
        path = Path(text)
        return Address(kind="sqlite", path=path / FILE_NAME if path.is_dir() else path)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ConfigError(
            "--store: the address cannot be read; expected one like mysql://user@host:3306/database"
        ) from error
    if parts.password is not None or "password" in parse_qs(parts.query):
        raise ConfigError(
            "--store: a password must not be in the address, where lists of processes and logs "
            f"show it. Leave it out, and set {PASSWORD}, or {PASSWORD_FILE} to the path of a file."
        )
    if parts.scheme not in _NAMES:
        raise ConfigError(
            f"--store: {parts.scheme!r} is no kind of store.{nearest(parts.scheme, _NAMES)} "
            "Known: a file, mysql://, postgresql://, grpc://."
        )
    kind = _NAMES[parts.scheme]
    if kind == "sqlite":
        return Address(kind=kind, path=Path(unquote(parts.netloc + parts.path)))
    return _server(kind, parts, port or _PORTS[kind])


def password(environment: Mapping[str, str] = os.environ) -> str:
    """The password of a database; empty where none is set.

    Raises:
        ConfigError: the file of the password cannot be read.
    """
    file = environment.get(PASSWORD_FILE)
    if PASSWORD in environment or not file:
        return environment.get(PASSWORD, "")
    try:
        return Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConfigError(f"{PASSWORD_FILE}={file}: cannot be read: {reason}.") from error


def explain(address: Address, error: Exception) -> str:
    """What ML Metadata said, as a sentence with a way out."""
    said = str(error).removeprefix("Error when executing query: ")
    # What follows is the statement; of a failed connection it may be its parameters.
    said = said.partition(" query: ")[0].strip()
    reasons = {
        "readonly": "it has no tables of ML Metadata. Name another --store",
        "older than library": "an older ML Metadata made it, and reading changes nothing. Upgrade "
        "a copy with ml_metadata.MetadataStore(config, enable_upgrade_migration=True)",
        "greater than library": "a newer ML Metadata made it than is installed here",
        "aborted after max": "another process keeps it locked. Wait for it to finish",
        "database is locked": "another process keeps it locked. Wait for it to finish",
    }
    for sign, reason in reasons.items():
        if sign in said:
            return f"{address} cannot be read: {reason}."
    if address.kind == "sqlite":
        return f"{address} is not a metadata store: {said}. Move it away, or name another."
    return f"{address} cannot be read: {said[:500]}."


def _server(kind: Kind, parts: SplitResult, port: int) -> Address:
    options = parse_qs(parts.query)
    unknown = options.keys() - ({"socket"} if kind == "mysql" else set())
    if unknown:
        raise ConfigError(f"--store: {sorted(unknown)[0]!r} is no option of a {kind} store.")
    database = unquote(parts.path.strip("/"))
    if kind != "grpc" and not database:
        raise ConfigError(
            f"--store: the address names no database; expected {kind}://user@host:{port}/database."
        )
    socket = options.get("socket", [""])[0]
    if not parts.hostname and not socket:
        raise ConfigError(f"--store: the address names no host; expected {kind}://host:{port}.")
    return Address(
        kind=kind,
        host=parts.hostname or "localhost",
        port=port,
        user=unquote(parts.username or ""),
        database=database,
        socket=socket,
    )

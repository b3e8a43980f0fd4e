"""Lets ML Metadata keep texts of any length in PostgreSQL.

It makes an index over the texts of properties there, and PostgreSQL refuses a row whose entry in
an index is longer than 2,704 bytes. TFX's and our own properties hold whole configurations and the
list of all libraries, so such a run would be refused. Nothing asks by a property's text: the
index goes, and writes are faster.
"""

from __future__ import annotations

import ssl
from typing import Any

from components.errors import ConfigError
from pipeline.lineage.connection import Address, password

_INDEXES = tuple(f"idx_{kind}_property_string" for kind in ("artifact", "context", "execution"))
_STATEMENT = f"DROP INDEX IF EXISTS {', '.join(_INDEXES)}"
_PATIENCE_S = 10.0


def allow_long_texts(address: Address) -> None:
    """Removes the indexes from a store in PostgreSQL that has its tables; does nothing twice.

    Raises:
        ConfigError: the tables belong to another user.
    """
    import pg8000.native

    connection = _connect(address)
    try:
        wanted = "SELECT count(*) FROM pg_indexes WHERE schemaname = current_schema() "
        [[found]] = connection.run(wanted + "AND indexname = ANY(:names)", names=list(_INDEXES))
        if found:
            connection.run(_STATEMENT)
    except pg8000.native.DatabaseError as error:
        said = error.args[0].get("M", error) if isinstance(error.args[0], dict) else error
        raise ConfigError(
            f"{address}: long texts would be refused, and the indexes that refuse them cannot be "
            f"removed: {said}. Let the owner of the tables run: {_STATEMENT}"
        ) from error
    finally:
        connection.close()


def _connect(address: Address) -> Any:
    """A connection as ML Metadata makes it: encrypted where the server can."""
    import pg8000.native

    flags: dict[str, Any] = {
        "user": address.user,
        "password": password() or None,
        "host": address.host,
        "port": address.port,
        "database": address.database,
        "timeout": _PATIENCE_S,
    }
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        return pg8000.native.Connection(**flags, ssl_context=context)
    except pg8000.native.InterfaceError:
        return pg8000.native.Connection(**flags)

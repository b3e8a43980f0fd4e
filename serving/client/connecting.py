"""Chooses the API by the address of a server; each imports what only it needs."""

from __future__ import annotations

from serving.client.connection import Access, Address, Connection


def connect(address: Address, access: Access, *, width: int = 8) -> Connection:
    """Makes a connection; nothing is sent yet.

    Args:
        address: of the server.
        access: how to be let in.
        width: how many requests are under way at most.

    Raises:
        UsageError: the certificate cannot be read.
    """
    if address.scheme in ("http", "https"):
        from serving.client.rest import RestConnection

        return RestConnection(address, access, width=width)
    from serving.client.rpc import RpcConnection

    return RpcConnection(address, access)

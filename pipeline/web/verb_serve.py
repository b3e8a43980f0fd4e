"""`serve`: the pages, on this machine."""

from __future__ import annotations

import argparse
import sys

from components.errors import ConfigError
from pipeline.lineage.session import Session

DEFAULT_PORT = 8400


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the verb."""
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="where to listen (127.0.0.1)"
    )
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, metavar="N", help=f"0 for any ({DEFAULT_PORT})"
    )
    parser.add_argument("--open", dest="opens", action="store_true", help="open a browser")


def run(args: argparse.Namespace, session: Session) -> int:
    """Serves until it is interrupted."""
    import socket
    import webbrowser

    import uvicorn

    from pipeline.web.app import make_app
    from pipeline.web.guard import Token

    _ = session.store  # A store that cannot be read is told now, not on the first page.
    token = Token()
    listener = socket.socket(socket.AF_INET6 if ":" in args.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((args.host, args.port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise ConfigError(
            f"--host {args.host} --port {args.port}: cannot listen there: {error}. Name another."
        ) from error
    host = f"[{args.host}]" if ":" in args.host else args.host
    address = f"http://{host}:{listener.getsockname()[1]}/"
    # Whoever opens this may move labels; without the token the pages only show.
    opened = f"{address}?token={token.value}"
    print(f"lineage of {session.address}\nopen {opened}", flush=True)
    if args.opens and not webbrowser.open(opened):
        print("no browser was found; open the address yourself", file=sys.stderr)
    app = make_app(session, token, host=args.host)
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
    uvicorn.Server(config).run(sockets=[listener])
    return 0

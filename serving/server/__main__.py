"""`python -m serving.server`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from serving.errors import ServingError
from serving.server.arguments import parse


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the server; returns the exit code: 0 after a graceful stop, 2 for a wrong setting."""
    try:
        settings = parse(argv)
        # What the library says is for its developers; why a model fails is in its status.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        # Only a server that starts pays for what it imports.
        import asyncio

        from serving.server.serve import serve

        asyncio.run(serve(settings))
    except (ServingError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

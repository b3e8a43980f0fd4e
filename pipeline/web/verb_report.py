"""`report`: one run on a page of its own, to be attached to a build or a mail."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.lineage.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the verb."""
    parser.add_argument(
        "name", metavar="RUN", nargs="?", default=None, help="which run (the newest)"
    )
    parser.add_argument(
        "--out", default="run.html", metavar="FILE", help="where to write it (run.html)"
    )


def run(args: argparse.Namespace, session: Session) -> int:
    """Writes the page."""
    from pipeline.layout import write_atomically
    from pipeline.lineage.graph import selection
    from pipeline.web.run_report import run_report

    target = selection.target(session.store, session.names, args.name)
    out = Path(args.out)
    write_atomically(out, run_report(session, target))
    print(out)
    return 0

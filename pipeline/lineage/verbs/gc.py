"""`gc --dry-run`: lists what may be deleted, and deletes nothing."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

from components.errors import ConfigError
from pipeline.lineage.verbs.numbers import at_least_one

if TYPE_CHECKING:
    from pipeline.lineage.gc import Candidate, Kept
    from pipeline.lineage.session import Session

EPILOG = """\
What stays: every version that a label points to or can go back to (of a model without labels, the
newest), the last N runs of each pipeline, and all that these were made of. A node whose earlier
result is deleted is run again when it is needed.

exit codes:
  0    done; the list may be empty
  2    a flag, models.config or the store is wrong
"""
_KEEP = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the verb."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--dry-run", action="store_true", help="required: only list")
    parser.add_argument(
        "--keep-runs",
        type=at_least_one,
        default=_KEEP,
        metavar="N",
        help=f"the last runs of each pipeline that stay ({_KEEP})",
    )


def run(args: argparse.Namespace, session: Session) -> int:
    """Lists; returns the exit code."""
    from pipeline.lineage import gc

    if not args.dry_run:
        raise ConfigError(
            "gc deletes nothing by itself: add --dry-run to see what may be deleted, and delete "
            "it with a tool of your own, for which --json lists the paths."
        )
    kept = gc.keep(session.store, session.serving_folder, num_runs=args.keep_runs)
    found = sorted(
        gc.candidates(session.store, session.serving_folder, kept),
        key=lambda candidate: -candidate.num_bytes,
    )
    if session.as_json:
        session.print_json(
            {
                "candidates": [dataclasses.asdict(candidate) for candidate in found],
                "num_bytes": sum(candidate.num_bytes for candidate in found),
                "kept": {"runs": kept.num_runs, "versions": list(kept.versions)},
            }
        )
    else:
        _print(session, found, kept)
    return 0


def _print(session: Session, found: list[Candidate], kept: Kept) -> None:
    from pipeline.lineage.text import clean, line, print_table, size

    if found:
        print_table(
            session.console,
            ("size", "what", "type", "path"),
            [
                (
                    size(item.num_bytes),
                    item.subject or item.kind,
                    clean(item.type),
                    clean(item.path),
                )
                for item in found
            ],
            right=("size",),
            folded=("path",),
        )
    total = size(sum(item.num_bytes for item in found))
    versions = ", ".join(kept.versions) or "none"
    line(
        session.console,
        f"{len(found)} may be deleted, {total}. Kept: the last {kept.num_runs} runs, "
        f"served versions: {versions}. Nothing was deleted.",
    )

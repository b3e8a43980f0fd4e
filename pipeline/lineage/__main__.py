"""Asks the metadata store: which data made a model, what else it made, why, and what changed.

Reads any store of TFX, and changes nothing in it, also while a pipeline is writing.

a store (--store):
  output/metadata.db                      a SQLite file, or the folder that holds it
  mysql://user@host:3306/database         MySQL or MariaDB; ?socket=/path for one on this machine
  postgresql://user@host:5432/database    PostgreSQL
  grpc://host:8080                        ML Metadata's server
The password comes from WAYBILL_METADATA_PASSWORD, or from the file that
WAYBILL_METADATA_PASSWORD_FILE names.

what X may be:
  live, label:canary, v7                  a pushed version
  ID, run:ID                              a run, or the beginning of its id
  artifact:12, execution:34               by number
  PATH, span:3, sha256:1a2b3c4d           data: a raw file, a span, the hash of a file

exit codes:
  0    there is an answer
  1    nothing of that name, or nothing that matches, is in the store
  2    a flag, a name that means several things, or the store is wrong
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

from components.errors import WaybillError
from pipeline.lineage.verbs import VERBS

DEFAULT_STORE = "output/metadata.db"


def make_parser(argv: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The command line of `python -m pipeline.lineage`.

    Args:
        argv: the arguments to come; only the verb among them is imported, for its flags.
    """
    assert __doc__ is not None
    description, _, epilog = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.lineage",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_common(parser, is_first=True)
    actions = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, verb in VERBS.items():
        action = actions.add_parser(name, help=verb.help, description=verb.help)
        if name in argv:
            _add_common(action, is_first=False)
            _module(name).add_arguments(action)
    return parser


def _add_common(parser: argparse.ArgumentParser, *, is_first: bool) -> None:
    """The flags that may stand before the verb or after it."""

    def default(value: object) -> object:
        # What was given before the verb must not be reset after it.
        return value if is_first else argparse.SUPPRESS

    parser.add_argument(
        "--store",
        default=default(DEFAULT_STORE),
        metavar="STORE",
        help=f"the metadata store ({DEFAULT_STORE})",
    )
    parser.add_argument(
        "--serving",
        default=default(None),
        metavar="DIR",
        help="the serving folder (serving, beside a SQLite file)",
    )
    parser.add_argument(
        "--model", default=default(None), metavar="NAME", help="the model in it, if there are more"
    )
    parser.add_argument(
        "--json", action="store_true", default=default(False), help="print JSON instead of text"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    args = make_parser(given).parse_args(given)
    # ML Metadata logs a failed call, which is told below as an error, and each connection.
    logging.getLogger("absl").setLevel(logging.CRITICAL)
    os.environ.setdefault("GLOG_minloglevel", "2")
    try:
        from pipeline.lineage.session import Session

        session = Session.of(args.store, serving=args.serving, model=args.model, as_json=args.json)
        code = _module(args.verb).run(args, session)
        sys.stdout.flush()
        return int(code)
    except WaybillError as error:
        from pipeline import command

        return command.tell(error)
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough; nothing can be flushed to it any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _module(verb: str) -> Any:
    return importlib.import_module(VERBS[verb].module, "pipeline.lineage")


if __name__ == "__main__":
    sys.exit(main())

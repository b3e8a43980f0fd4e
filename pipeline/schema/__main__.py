"""Works on the data contract, a schema.pbtxt: writes it, checks data with it, changes it.

infer   writes the schema that the data suggests
check   reads all rows and lists every violation, in seconds, without running the pipeline
diff    shows what differs between two schemas, or between a schema and what the data would need
update  writes accepted changes into a schema, keeping its order and comments

exit codes:
  0    no error was found; what was asked for was written
  1    diff: there are differences
  2    a flag, a path or the schema is wrong; nothing was written
  3    check: the data broke its contract; else: the data cannot be read
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from components.errors import WaybillError
from pipeline import command
from pipeline.schema import verbs


def make_parser() -> argparse.ArgumentParser:
    """The command line of `python -m pipeline.schema`."""
    parser = command.make_parser("pipeline.schema", __doc__)
    actions = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, verb in verbs.VERBS.items():
        described = (verb.__doc__ or "").partition("\n")[0]
        action = actions.add_parser(name, help=described, description=described)
        verbs.ARGUMENTS[name](action)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    args = make_parser().parse_args(argv)
    try:
        return verbs.VERBS[args.verb](args)
    except WaybillError as error:
        return command.tell(error)


if __name__ == "__main__":
    sys.exit(main())

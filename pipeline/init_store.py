"""Makes the tables of an ML Metadata store, once, before pipelines write to it side by side.

A store that has them is left as it is. Its password comes from WAYBILL_METADATA_PASSWORD, or from
the file that WAYBILL_METADATA_PASSWORD_FILE names.

exit codes:
  0    the store is ready
  2    the address is wrong, or the server refuses
  75   no server answers: another attempt is worth its time
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from components.errors import WaybillError
from pipeline import command
from pipeline.lineage.connection import parse


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    parser = command.make_parser("pipeline.init_store", __doc__)
    parser.add_argument(
        "--metadata", required=True, metavar="URI", help="a file, mysql://… or postgresql://…"
    )
    args = parser.parse_args(argv)
    try:
        # ML Metadata takes a fifth of a second to import.
        from pipeline.metadata import prepare

        prepare(args.metadata)
        print(f"{parse(args.metadata)} is ready")
    except WaybillError as error:
        return command.tell_scheduler(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())

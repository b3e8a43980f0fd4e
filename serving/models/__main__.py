"""Shows the published versions of a model, moves their labels, and goes back.

list       versions with labels, metrics, and what made them
show       one version in full; without VERSION the labels and their history
promote    points `stable` to a version
rollback   puts `stable` back on the version before
label      points any label to a version
unlabel    takes a label away
prune      removes old versions, never one that is labelled or can be rolled back to
verify     reads every file again and compares it with the manifest

A VERSION is a number (3, v3) or a label. Labels lie in DIR/models.config, which TF Serving reads.
With --server a label moves only once that server has loaded the version.

exit codes:
  0    it is done, or there is nothing to do
  1    refused or failed; the labels are as they were
  2    a flag, the folder, the model, the version or the label is wrong
  3    a version's files are not what was published
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from serving.errors import Damaged, NotFound, ServingError
from serving.labels import STABLE
from serving.models import verbs
from serving.models.views import warn

DEFAULT_SERVING = "output/serving"
FAILED, WRONG, DAMAGED = 1, 2, 3


def make_parser() -> argparse.ArgumentParser:
    """The command line of `python -m serving.models`."""
    description, _, epilog = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python -m serving.models",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    arguments = {
        "list": (),
        "show": (_version_if_any,),
        "promote": (_version, _label_option, *_CHANGE),
        "rollback": (_label_option, *_CHANGE),
        "label": (_label, _version, *_CHANGE),
        "unlabel": (_label, _reason),
        "prune": (_keep,),
        "verify": (_version_if_any,),
    }
    for name, verb in verbs.VERBS.items():
        described = (verb.__doc__ or "").partition("\n")[0]
        action = actions.add_parser(name, help=described, description=described)
        for add in (*arguments[name], _common):
            add(action)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    args = make_parser().parse_args(argv)
    try:
        return verbs.VERBS[args.verb](args)
    except ServingError as error:
        warn("error", str(error))
        return _exit_code(error)
    except BrokenPipeError:  # the reader of a pipe had enough
        sys.stderr.close()
        return 0


def _exit_code(error: ServingError) -> int:
    if isinstance(error, NotFound):
        return WRONG
    return DAMAGED if isinstance(error, Damaged) else FAILED


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--serving",
        default=DEFAULT_SERVING,
        metavar="DIR",
        help=f"the folder or URL of the models ({DEFAULT_SERVING})",
    )
    parser.add_argument("--model", metavar="NAME", help="which model; may be left out if it is one")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("version", metavar="VERSION", help="a number or a label")


def _version_if_any(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("version", metavar="VERSION", nargs="?", help="a number or a label")


def _label(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("label", metavar="NAME", help="letters, digits and _")


def _label_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--label", default=STABLE, metavar="NAME", help=f"which label ({STABLE})")


def _reason(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", default="", metavar="TEXT", help="why, to be recorded")
    parser.add_argument(
        "--metadata",
        metavar="STORE",
        help="where to record it: a SQLite file, mysql://, postgresql:// or grpc:// "
        "(the store that the version's manifest names)",
    )


def _server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--server",
        type=_address,
        metavar="URL",
        help="wait until this server has loaded the version, such as http://127.0.0.1:8501",
    )
    parser.add_argument("--token-file", metavar="FILE", help="holds the server's bearer token")
    parser.add_argument(
        "--timeout", type=float, default=60.0, metavar="S", help="how long to wait for it (60)"
    )


def _keep(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keep", type=_positive, default=10, metavar="N", help="how many of the newest stay (10)"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would go")


_CHANGE = (_reason, _server)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of at least 1")
    return int(text)


def _address(text: str) -> str:
    from serving.availability import check_url

    try:
        return check_url(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())

"""Asks a model server: the embedded one, or TensorFlow Serving.

  predict   predictions for the rows of CSV files, of lines of JSON, or for image files
  check     asks a server one real row in every way it can be asked, and compares the answers

exit codes:
  0    all was answered; for check, all agreed
  2    a flag or a path is wrong
  3    a row of the input cannot be sent
  4    no server answers there, or not in time
  5    the server refuses the request
  6    check found something wrong
  130  interrupted
"""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
from collections.abc import Sequence

from serving.client import defaults
from serving.errors import ServingError

_INTERRUPTED = 130


def make_parser() -> argparse.ArgumentParser:
    """The command line of `python -m serving.client`."""
    assert __doc__ is not None
    description, _, epilog = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python -m serving.client",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    predict = verbs.add_parser("predict", help="predictions for many rows")
    predict.add_argument(
        "inputs", nargs="+", metavar="FILE", help="CSV, JSON lines or images; - is standard input"
    )
    _add_reading(predict)
    _add_writing(predict)
    _add_server(predict, action="store")
    _add_pace(predict)
    check = verbs.add_parser("check", help="ask a server one row in every way, and compare")
    _add_server(check, action="append")
    return parser


def _add_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--input-format", choices=("csv", "jsonl", "image"), help="default: by the files' names"
    )
    parser.add_argument("--delimiter", default=",", metavar="CHAR", help="of CSV (,)")
    parser.add_argument(
        "--allow-missing", action="store_true", help="send columns that the data lacks as missing"
    )


def _add_writing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", metavar="FILE", help="where to write; default: standard output")
    parser.add_argument(
        "--format", choices=("csv", "jsonl"), help="of the output; default: by --out, else as read"
    )
    parser.add_argument(
        "--keep",
        default="all",
        metavar="COLUMNS",
        help="columns of the input to write too: all (default), none, or names with commas",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress")


def _add_server(parser: argparse.ArgumentParser, *, action: str) -> None:
    parser.add_argument(
        "--server",
        action=action,
        metavar="URL",
        help=f"http://, https://, grpc:// or grpcs://HOST:PORT ({defaults.SERVER})"
        + ("; may be repeated" if action == "append" else ""),
    )
    parser.add_argument("--model", metavar="NAME", help="default: the one in the serving folder")
    version = parser.add_mutually_exclusive_group()
    version.add_argument("--version", type=_positive_int, metavar="N", help="ask this version")
    version.add_argument("--label", metavar="LABEL", help="ask the version of this label")
    parser.add_argument("--signature", metavar="NAME", help="default: serving_raw, if there is one")
    parser.add_argument(
        "--serving",
        metavar="DIR",
        help=f"the serving folder, if it is on this machine ({defaults.SERVING}, where it exists)",
    )
    parser.add_argument(
        "--token-file", metavar="FILE", help=f"holds the bearer token; else ${defaults.TOKEN}"
    )
    parser.add_argument("--ca", metavar="FILE", help="the certificate that signed the server's")
    parser.add_argument(
        "--timeout", type=_positive, default=30.0, metavar="S", help="for one answer (30)"
    )


def _add_pace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--batch", type=_positive_int, default=64, metavar="N", help="rows in a request (64)"
    )
    parser.add_argument(
        "--width", type=_positive_int, default=4, metavar="N", help="requests at a time (4)"
    )
    parser.add_argument(
        "--patience",
        type=_positive,
        default=30.0,
        metavar="S",
        help="how long to repeat what a busy server refuses (30)",
    )


def _positive_int(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    args = make_parser().parse_args(argv)
    # What talks to a server takes a moment to import: only now is it sure that it is needed.
    from serving.client.errors import ClientError

    try:
        if args.verb == "predict":
            from serving.client import predicting

            return predicting.run(args)
        from serving.client import checking

        return checking.run(args)
    except ClientError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except ServingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Who reads our output has enough; Python would complain once more at its end.
        sys.stderr.close()
        return 0
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())

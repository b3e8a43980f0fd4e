"""What distributed Beam needs: job servers, worker pools, and a look at the flags.

exit codes:
  0    done
  1    Maven could not bring the job server
  2    a flag or the configuration is wrong, or something is missing on this machine
  130  interrupted
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from components.errors import ConfigError, Interrupted, WaybillError
from pipeline import command
from pipeline import config as configuration

FLINK_VERSION = "1.19"


def make_parser() -> argparse.ArgumentParser:
    """The command line of `python -m pipeline.beam`."""
    parser = command.make_parser("pipeline.beam", __doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    fetch = verbs.add_parser("fetch", help="have Maven bring the job server of an engine")
    fetch.add_argument("engine", choices=("flink", "spark"))
    fetch.add_argument(
        "--flink-version", default=FLINK_VERSION, metavar="X.Y", help=f"({FLINK_VERSION})"
    )
    fetch.add_argument("--sha256", metavar="HEX", help="refuse a jar of another content")

    pool = verbs.add_parser("pool", help="serve Python workers to the engine's worker on this host")
    pool.add_argument("--port", type=_port, default=50000, help="0 takes any free one (50000)")
    pool.add_argument(
        "--bind",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="who reaches it can run code here: name another address only in the cluster's own "
        "network (127.0.0.1)",
    )

    flags = verbs.add_parser("flags", help="print the flags a configuration gives to Beam")
    configuration.add_arguments(flags)
    return parser


def _port(text: str) -> int:
    """A port, as argparse wants to be told of a wrong one."""
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError
    return port


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    args = make_parser().parse_args(argv)
    verbs = {"fetch": _fetch, "pool": _pool, "flags": _flags}
    try:
        verbs[args.verb](args)
    except WaybillError as error:
        return command.tell(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return Interrupted.exit_code
    return 0


def _fetch(args: argparse.Namespace) -> None:
    from pipeline.beam import job_server

    artifact = job_server.flink(args.flink_version) if args.engine == "flink" else job_server.SPARK
    path = job_server.fetch(artifact, expected=args.sha256)
    print(path)
    print(f"beam.{args.engine}.job_server_sha256: {job_server.sha256(path)}")


def _pool(args: argparse.Namespace) -> None:
    from pipeline.beam import pool

    try:
        pool.serve(args.bind, args.port)
    except OSError as error:
        raise ConfigError(f"--bind {args.bind} --port {args.port}: {error}.") from error


def _flags(args: argparse.Namespace) -> None:
    """Prints the flags, and lets Beam's own parser read them."""
    from pipeline.beam import checking, flags

    found = flags.pipeline_args(configuration.from_arguments(args).beam)
    checking.check_flags(found)
    print("\n".join(found))


if __name__ == "__main__":
    sys.exit(main())

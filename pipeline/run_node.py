"""Runs nodes of a compiled pipeline in this process, for an orchestrator that schedules them.

A node that has succeeded in the run is not run again; one that was killed begins anew. With
--retries the nodes run in a process of its own, which is started again while that is worth it: for
schedulers that would repeat rejected data as well as a lost connection.

exit codes:
  0    every node ended well, or had before
  1    a node failed, and would fail again; the log says why
  2    a flag, a parameter or a path is wrong
  3    the data broke its contract
  4    the model is not good enough; it is not pushed
  5    the model cannot be served; it is not pushed
  75   it failed for a reason that may pass: another attempt is worth its time
  99   every node was skipped by a condition of the graph
  130  interrupted; another attempt continues
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from components.errors import (
    ConfigError,
    Interrupted,
    ModelNotGoodEnough,
    ModelNotServable,
    WaybillError,
    nearest,
)
from pipeline import command, supervision
from pipeline.compile import bundle as bundles
from pipeline.compile.bundle import CONFIGURED, DATA, METADATA, ROOT, Bundle

SKIPPED = 99
# Context names are unbounded in ML Metadata, but a run's id also names a folder.
_RUN_ID = re.compile(r"[\w][\w.:+@=-]{0,200}")


def make_parser() -> argparse.ArgumentParser:
    """The command line of `python -m pipeline.run_node`."""
    parser = command.make_parser("pipeline.run_node", __doc__)
    parser.add_argument(
        "--ir",
        required=True,
        metavar="DIR",
        help="the folder that `python -m pipeline.compile` wrote, or its ir.json",
    )
    parser.add_argument(
        "--node", required=True, metavar="ID[,ID…]", help="the nodes to run, in any order"
    )
    parser.add_argument(
        "--run-id", required=True, metavar="ID", help="names the run; the same for all its nodes"
    )
    parser.add_argument("--root", required=True, metavar="DIR", help="where artifacts are written")
    parser.add_argument("--data", metavar="DIR", help="the folder that the data lies in")
    parser.add_argument(
        "--metadata", metavar="URI", help="the ML Metadata store (metadata.db in the root)"
    )
    parser.add_argument(
        "--span",
        type=_span,
        metavar="N",
        help=f"which span of the data to read; `{CONFIGURED}` for what was compiled",
    )
    parser.add_argument("--fresh", action="store_true", help="use no result of an earlier run")
    parser.add_argument(
        "--param",
        dest="parameters",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="the value of another parameter of the compiled pipeline; may be repeated",
    )
    again = parser.add_argument_group("attempts")
    again.add_argument(
        "--retries", type=int, default=0, metavar="N", help="further attempts that may help (0)"
    )
    again.add_argument(
        "--retry-delay", type=float, default=30.0, metavar="S", help="doubled at each attempt (30)"
    )
    again.add_argument("--timeout", type=float, metavar="S", help="after which an attempt ends")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    args = make_parser().parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if args.retries or args.timeout:
            return _supervised(args, sys.argv[1:] if argv is None else argv)
        return _main(args)
    except WaybillError as error:
        return command.tell_scheduler(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return Interrupted.exit_code


def _main(args: argparse.Namespace) -> int:
    bundle = bundles.read(Path(args.ir))
    wanted = _wanted(args.node, bundle)
    if args.span is not None and not bundle.has_spans:
        raise ConfigError("--span: the data of this pipeline has no {SPAN} in its path.")
    values = bundle.values(_given(args))
    text = bundle.filled(values)
    run_id = run_id_of(bundle.name, args.run_id)
    bundle.check_code(wanted)
    # TensorFlow and TFX take seconds to import: only now is it sure that they are needed.
    from pipeline.runners import orchestrated

    run = orchestrated.Run.of(
        text,
        run_id=run_id,
        root=values[ROOT],
        metadata=values[METADATA],
        config=bundle.config,
        span=args.span,
        fresh=args.fresh,
    )
    endings = run.nodes(wanted)
    _judge(run.refusals(wanted))
    return SKIPPED if endings and set(endings.values()) == {"skipped"} else 0


def _supervised(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Runs the same command without its retries and its timeout, in processes of its own."""
    for flag in ("retries", "retry_delay", "timeout"):
        if (getattr(args, flag) or 0) < 0:
            name = flag.replace("_", "-")
            raise ConfigError(f"--{name} {getattr(args, flag)}: expected 0 or more.")
    return supervision.run(
        [sys.executable, "-m", "pipeline.run_node", *argv, "--retries=0", "--timeout=0"],
        retries=args.retries,
        delay_s=args.retry_delay,
        timeout_s=args.timeout,
        worth_it=(command.TEMPORARY, Interrupted.exit_code),
    )


def _span(text: str) -> int | None:
    return None if text == CONFIGURED else int(text)


def run_id_of(pipeline: str, run_id: str) -> str:
    """The id with the pipeline's name before it: pipelines in one store may have equal ids.

    Raises:
        ConfigError: the id has characters that cannot name a run.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise ConfigError(
            f"--run-id {run_id!r}: expected up to 200 letters, digits and any of . : + @ = _ -"
        )
    return run_id if run_id.startswith(f"{pipeline}-") else f"{pipeline}-{run_id}"


def _wanted(text: str, bundle: Bundle) -> tuple[str, ...]:
    known = [node.id for node in bundle.nodes]
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise ConfigError(
                f"--node {name}: the pipeline has no such node.{nearest(name, known)} "
                f"It has: {', '.join(known)}."
            )
    if not names:
        raise ConfigError("--node names no node.")
    return tuple(name for name in known if name in names)


def _given(args: argparse.Namespace) -> dict[str, str]:
    """The parameters that the flags give."""
    values = {ROOT: args.root if "://" in args.root else str(Path(args.root).absolute())}
    if args.data is not None:
        values[DATA] = str(Path(args.data).absolute())
    if args.metadata is not None:
        values[METADATA] = args.metadata
    for assignment in args.parameters:
        name, separator, value = assignment.partition("=")
        if not separator or not name:
            raise ConfigError(f"--param {assignment}: write it as NAME=VALUE.")
        values[name] = value
    return values


def _judge(refusals: Mapping[str, str]) -> None:
    """Raises what a refusing verdict means to an orchestrator."""
    kinds: dict[str, type[WaybillError]] = {
        "Evaluator": ModelNotGoodEnough,
        "ServingCheck": ModelNotServable,
    }
    for node, kind in kinds.items():
        reason = refusals.get(node)
        if reason is not None:
            raise kind(reason)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

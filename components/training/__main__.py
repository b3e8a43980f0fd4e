"""Trains from what Transform left, without the pipeline.

Without flags it takes what Transform wrote last below output/, and trains with the defaults:

    python -m components.training --config pipeline/configs/taxi.yaml
    python -m components.training --root output --set training.optimizer.learning_rate=0.01
    python -m components.training --overfit-one-batch
    python -m components.training --check-numerics
    python -m components.training --profile --output /tmp/by_hand

Exit codes: 0 it trained; 1 it failed, or one batch could not be learned; 2 a flag, a setting or a
path is wrong; 3 the data is wrong; 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from components import interruption
from components.errors import ConfigError, Interrupted, WaybillError
from components.training.by_hand.inputs import Inputs, find_inputs, read_inputs
from components.training.by_hand.settings import read_settings
from components.training.settings import TrainingSettings


def make_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    assert __doc__ is not None
    description, _, epilog = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python -m components.training",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_argument_group("what to train on")
    what.add_argument("--root", metavar="DIR", help="the root of a run (output)")
    what.add_argument("--name", help="the pipeline, where the root has several; else the last")
    what.add_argument("--examples", metavar="DIR", help="a folder of transformed examples instead")
    what.add_argument("--transform-graph", metavar="DIR", help="the graph that made them")
    what.add_argument(
        "--data-spec", metavar="FILE", help="what the columns mean (data_spec.json in the graph)"
    )
    how = parser.add_argument_group("how")
    how.add_argument("--config", metavar="FILE", help="a YAML file; its training section is read")
    how.add_argument(
        "--set",
        dest="assignments",
        action="append",
        default=[],
        metavar="training.KEY=VALUE",
        help="change one setting; may be repeated",
    )
    how.add_argument("--checkpoints", metavar="DIR", help="go on from here after an interruption")
    how.add_argument("--output", metavar="DIR", help="write the model, its history, the profile")
    why = parser.add_argument_group("to find out why").add_mutually_exclusive_group()
    why.add_argument(
        "--check-numerics",
        action="store_true",
        help="stop at the first operation whose result is not finite, and name it",
    )
    why.add_argument(
        "--overfit-one-batch",
        action="store_true",
        help="only see whether the network learns one batch by heart; 1 if it does not",
    )
    why.add_argument(
        "--profile", action="store_true", help="only see where the time of a step goes"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    args = make_parser().parse_args(argv)
    console = Console()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    # TensorFlow's chatter, such as the lack of a GPU; what is an error is raised as well.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        # Before TensorFlow is imported: a mistake is told in a second.
        inputs = _inputs(args)
        settings = read_settings(args.config, args.assignments)
        if args.profile and not args.output:
            raise ConfigError("--profile needs --output DIR, where the trace goes.")
        return _run(args, inputs, settings, console)
    except WaybillError as error:
        Console(stderr=True).print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return Interrupted.exit_code


def _inputs(args: argparse.Namespace) -> Inputs:
    named = (args.examples, args.transform_graph)
    if all(named):
        if args.root or args.name:
            raise ConfigError("Either --root, or --examples and --transform-graph.")
        return read_inputs(args.examples, args.transform_graph, args.data_spec)
    if any(named):
        raise ConfigError("--examples and --transform-graph go together.")
    found = find_inputs(args.root or "output", args.name)
    if args.data_spec is None:
        return found
    return read_inputs(found.examples, found.transform_graph, args.data_spec)


def _run(
    args: argparse.Namespace, inputs: Inputs, settings: TrainingSettings, console: Console
) -> int:
    with _quietly():
        from components.training.by_hand import api, display

    console.print(f"examples  {inputs.examples}", markup=False, highlight=False, soft_wrap=True)
    with display.shows_progress(console):
        if args.overfit_one_batch:
            verdict = api.overfit_one_batch(inputs, settings)
        elif args.profile:
            profile = api.profile(inputs, settings, Path(args.output) / "profile")
        else:
            trained = api.train(
                inputs,
                settings,
                checkpoints=args.checkpoints,
                check_numerics=args.check_numerics,
            )
    if args.overfit_one_batch:
        console.print(str(verdict), markup=False, highlight=False, soft_wrap=True)
        return 0 if verdict.learned else 1
    if args.profile:
        display.show_profile(console, profile)
        return 0
    display.show_metrics(console, trained)
    if args.output:
        model = api.write_output(trained, inputs, settings, args.output)
        page = Path(args.output) / "training.html"
        for name, path in (("model", model), ("training", page)):
            console.print(f"{name:<9} {path}", markup=False, highlight=False, soft_wrap=True)
    return 0


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Inside, what TensorFlow's C++ says while it is imported is not shown."""
    sys.stderr.flush()
    saved = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def _stop(number: int, frame: object) -> None:
    """Asks the training to save and stop; a second time ends it at once."""
    del frame
    signal.signal(number, signal.default_int_handler)
    if not interruption.is_requested() and interruption.request(timeout_s=0):
        raise KeyboardInterrupt  # Nothing is being trained.


if __name__ == "__main__":
    sys.exit(main())

"""Compiles the pipeline once, to be run node by node on Airflow, Kubeflow or Vertex AI.

Reads the data for the types of its columns; where the pipeline runs, only the compiled folder, the
data and the same code are needed.

exit codes:
  0    the folder was written
  2    a flag, the configuration or a path is wrong
  3    the data broke its contract
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from components.errors import ConfigError, WaybillError
from pipeline import command
from pipeline import config as configuration
from pipeline.compile import bundle as bundles
from pipeline.compile.bundle import Bundle
from pipeline.compile.targets import TARGETS, target
from pipeline.compile.tasks import Grouping, check_names
from pipeline.resolve import Resolved, resolve


def make_parser() -> argparse.ArgumentParser:
    """The command line of `python -m pipeline.compile`."""
    parser = command.make_parser("pipeline.compile", __doc__)
    configuration.add_arguments(parser)
    parser.add_argument(
        "--target",
        choices=TARGETS,
        default="ir",
        help="what to write beside the compiled pipeline (ir: nothing)",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="a new or compiled folder")
    parser.add_argument(
        "--tasks",
        choices=("stages", "nodes"),
        default="stages",
        help="one process for each stage, which saves imports, or one for each node (stages)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    args = make_parser().parse_args(argv)
    try:
        return _main(args)
    except WaybillError as error:
        return command.tell(error)


def _main(args: argparse.Namespace) -> int:
    console = Console()
    out = Path(args.out).absolute()
    _check(out)
    config = configuration.from_arguments(args)
    check_names(config.orchestration.tasks)
    resolved = resolve(config)
    wanted = target(args.target)
    wanted.check(resolved)
    for note in resolved.notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    bundle = _build(resolved, args.tasks, out)
    files = bundles.files(bundle, resolved.config.validation.schema_path)
    files.update(wanted.files(bundle, resolved))
    _write(out, files)
    for name in files:
        console.print(f"{out / name}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _build(resolved: Resolved, grouping: Grouping, out: Path) -> Bundle:
    """Compiles, without what TensorFlow says at each start."""
    # It imports absl; and TensorFlow and TFX take seconds.
    from pipeline.logs import capture

    with (
        tempfile.TemporaryDirectory(prefix="compile-") as folder,
        capture(Path(folder) / "log", is_verbose=False),
    ):
        from pipeline.compile.build import build

        return build(resolved, grouping=grouping, folder=out)


def _check(out: Path) -> None:
    """Raises ConfigError for a folder with anything in it that was not compiled."""
    if out.is_dir() and any(out.iterdir()) and not (out / bundles.ABOUT).is_file():
        raise ConfigError(f"--out {out} holds other files. Name a new folder.")
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out} is a file. Name a folder.")


def _write(out: Path, files: dict[str, str]) -> None:
    """Makes the folder anew beside its place, and puts it there by a rename."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as folder:
            draft = Path(folder) / out.name
            for name, text in files.items():
                path = draft / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            if out.exists():
                out.rename(Path(folder) / "before")
            draft.rename(out)
    except OSError as error:
        raise ConfigError(f"--out {out} cannot be written: {error.strerror or error}.") from error


if __name__ == "__main__":
    sys.exit(main())

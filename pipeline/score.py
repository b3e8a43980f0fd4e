"""Scores large files with a pushed model: CSV, Parquet or TFRecord in and out, by Apache Beam.

The answers are those of a server with the same version. Memory does not grow with the files. The
output is a folder of shards, which appears when all rows are written.

exit codes:
  0    all rows were scored
  1    it failed; what is said names the reason
  2    a flag, a path or the model is wrong
  3    a row of the data cannot be read
  130  interrupted; nothing is left
"""

from __future__ import annotations

import argparse
import atexit
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from components.errors import ConfigError, Interrupted, WaybillError, nearest
from pipeline import command

if TYPE_CHECKING:
    from pipeline.scoring.rows import Data
    from serving.columns import ModelColumns

DEFAULT_SERVING = "output/serving"


def make_parser() -> argparse.ArgumentParser:
    """The command line of `python -m pipeline.score`."""
    parser = command.make_parser("pipeline.score", __doc__)
    parser.add_argument("data", metavar="PATH", help="a file, or a folder of files")
    parser.add_argument("--out", required=True, metavar="DIR", help="the folder to make")
    parser.add_argument(
        "--format", choices=("parquet", "csv", "tfrecord"), default="parquet", help="(parquet)"
    )
    parser.add_argument(
        "--keep",
        default="all",
        metavar="COLUMNS",
        help="columns of a table to write too: all (default), none, or names with commas",
    )
    which = parser.add_argument_group("which model")
    which.add_argument("--serving", default=DEFAULT_SERVING, metavar="DIR", help="(output/serving)")
    which.add_argument("--model", metavar="NAME", help="default: the only one")
    version = which.add_mutually_exclusive_group()
    version.add_argument("--version", type=int, metavar="N", help="default: stable, else newest")
    version.add_argument("--label", metavar="LABEL", help="the version of this label")
    version.add_argument("--saved-model", metavar="DIR", help="a SavedModel that is not pushed")
    how = parser.add_argument_group("how the data is written")
    how.add_argument(
        "--input-format", choices=("auto", "csv", "parquet", "tfrecord"), default="auto"
    )
    how.add_argument("--delimiter", default=",", metavar="CHAR", help="of CSV (,)")
    how.add_argument("--encoding", default="utf-8", help="of CSV (utf-8)")
    how.add_argument(
        "--allow-missing", action="store_true", help="score columns that are not there as missing"
    )
    how.add_argument("--workers", type=int, default=1, metavar="N", help="processes (1)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    args = make_parser().parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _main(args)
    except WaybillError as error:
        return command.tell(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return Interrupted.exit_code


def _main(args: argparse.Namespace) -> int:
    started = time.monotonic()
    if args.workers < 1:
        raise ConfigError(f"--workers {args.workers} is not 1 or more.")
    out = Path(args.out)
    if out.exists():
        raise ConfigError(f"--out {out} exists. Remove it, or name another folder.")
    model = _model(args)
    # What TensorFlow and Beam say while they start is of no use here.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger().setLevel(logging.ERROR)
    # Only now is it sure that Beam and Arrow are needed.
    from components.ingestion.dialect import Dialect
    from pipeline.scoring import rows
    from pipeline.scoring.run import Job, run
    from serving.columns import read_columns

    dialect = Dialect(delimiter=args.delimiter, encoding=args.encoding)
    data = rows.find(args.data, args.input_format, dialect)
    known = read_columns(model)
    _check_columns(data, known, model, allow_missing=args.allow_missing)
    job = Job(
        data=data,
        columns=known,
        model=model.resolve(),
        format=args.format,
        keep=args.keep,
        num_workers=args.workers,
    )
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        num_rows = run(job, partial)
        partial.rename(out)
    except OSError as error:
        raise ConfigError(
            f"--out {out} cannot be written: {error.strerror or error}. Nothing is left there."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    seconds = time.monotonic() - started
    print(f"{num_rows:,} rows scored by {model} in {seconds:.1f} s: {out}")
    return 0


def _model(args: argparse.Namespace) -> Path:
    """The folder of the SavedModel."""
    if args.saved_model:
        path = Path(args.saved_model)
        if not (path / "saved_model.pb").is_file():
            raise ConfigError(f"--saved-model {path} holds no saved_model.pb.")
        return path
    from serving.client import whom
    from serving.errors import ServingError

    try:
        folder = whom.serving_folder(args, DEFAULT_SERVING)
        target = whom.target(args, folder)
        found = whom.version_folder(target, folder)
    except ServingError as error:
        raise ConfigError(str(error)) from error
    if found is None:
        raise ConfigError(f"{folder} has no version for {target}. Push one, or name another.")
    return found


def _check_columns(
    data: Data, known: ModelColumns | None, model: Path, *, allow_missing: bool
) -> None:
    """Raises ConfigError if the data lacks what the model reads."""
    if data.table is None:
        return
    if known is None:
        raise ConfigError(
            f"{model} has no assets.extra/data_spec.json, which says what its columns are. Give "
            "it TFRecord files of tf.Examples."
        )
    lacking = [column.name for column in known.columns if column.name not in data.columns]
    if lacking and (not allow_missing or len(lacking) == len(known.columns)):
        raise ConfigError(
            f"The data lacks {', '.join(map(repr, lacking))}, which the model reads."
            f"{nearest(lacking[0], data.columns)} Rename a column, or score it as missing with "
            "--allow-missing."
        )


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Beam would take a second to be torn down; what cleans up after it still runs.
    atexit._run_exitfuncs()
    os._exit(code)

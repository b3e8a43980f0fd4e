"""Measures a run against the stock TFX taxi template, at scale, by parts, lineage, serving.

Prints tables. Nothing else should run on the machine meanwhile. A full measurement takes about an
hour, that of training 20 minutes a run, that of the quality half a minute, that of lineage five,
that of serving three.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import lineage, machine, report, serving
from benchmarks.measure import BenchmarkError
from benchmarks.quality import compare_quality
from benchmarks.readers import compare_readers
from benchmarks.scale import grow
from benchmarks.stock_template import compare
from benchmarks.training import compare_training

DEFAULT_SIZES = (15_000, 150_000, 1_500_000)


def make_parser() -> argparse.ArgumentParser:
    """The command line of `python -m benchmarks`."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only",
        choices=("stock", "scale", "readers", "training", "quality", "lineage", "serving"),
        help="measure one of the seven",
    )
    parser.add_argument(
        "--runs", type=_positive, default=3, metavar="N", help="repetitions of each (3)"
    )
    parser.add_argument(
        "--sizes",
        type=_positive,
        nargs="+",
        default=DEFAULT_SIZES,
        metavar="ROWS",
        help="numbers of rows for the measurement at scale and of readers (15000 150000 1500000)",
    )
    parser.add_argument(
        "--stock-sizes",
        type=_positive,
        nargs="+",
        default=(),
        metavar="ROWS",
        help="measure the stock template at these sizes too (none)",
    )
    parser.add_argument(
        "--training-sizes",
        type=_positive,
        nargs="+",
        default=(150_000, 1_500_000),
        metavar="ROWS",
        help="numbers of training rows to compare ways of training at (150000 1500000)",
    )
    parser.add_argument("--json", type=_new_file, metavar="FILE", help="write every sample")
    parser.add_argument("--markdown", type=_new_file, metavar="FILE", help="write the tables")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _new_file(text: str) -> Path:
    # Found out now, not after ten minutes of measuring.
    path = Path(text).resolve()
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a folder")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent}")
    return path


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    args = make_parser().parse_args(argv)
    console = Console()
    try:
        tables, samples = _measure(args, console)
    except BenchmarkError as error:
        Console(stderr=True).print(str(error), markup=False, highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    facts = machine.describe()
    one_line = ", ".join(f"{name} {value}" for name, value in facts.items())
    for table in tables:
        console.print(f"\n{table.title}", style="bold", markup=False, highlight=False)
        console.print(table.to_rich())
        for note in table.notes:
            console.print(f"  {note}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"\n{one_line}", markup=False, highlight=False, soft_wrap=True)
    if args.json:
        args.json.write_text(json.dumps({"machine": facts, **samples}, indent=2) + "\n")
    if args.markdown:
        parts = [*(table.to_markdown() for table in tables), f"Measured on: {one_line}.\n"]
        args.markdown.write_text("\n".join(parts))
    return 0


def _measure(
    args: argparse.Namespace, console: Console
) -> tuple[list[report.Table], dict[str, Any]]:
    """Does what the flags ask; returns the tables, and every sample as plain values."""

    def say(what: str) -> None:
        now = time.strftime("%H:%M:%S")
        console.print(f"{now}  {what}", markup=False, highlight=False)

    tables: list[report.Table] = []
    samples: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="waybill-bench-") as name:
        if args.only in (None, "stock"):
            scratch = Path(name) / "compare"
            scratch.mkdir()
            comparison = compare(scratch, num_runs=args.runs, say=say)
            tables += [report.whole_runs(comparison), report.per_node(comparison)]
            samples["stock"] = dataclasses.asdict(comparison)
        if args.only in (None, "scale"):
            scratch = Path(name) / "scale"
            scratch.mkdir()
            ours, stock = grow(
                scratch,
                sizes=args.sizes,
                stock_sizes=args.stock_sizes,
                num_runs=args.runs,
                say=say,
            )
            tables += [report.growth(ours, stock), report.growth_per_node(ours)]
            samples["scale"] = {
                "ours": [dataclasses.asdict(size) for size in ours],
                "stock": [dataclasses.asdict(size) for size in stock],
            }
        if args.only in (None, "readers"):
            scratch = Path(name) / "readers"
            scratch.mkdir()
            readers = compare_readers(scratch, sizes=args.sizes, num_runs=args.runs, say=say)
            tables.append(report.readers(readers))
            samples["readers"] = [dataclasses.asdict(reader) for reader in readers]
        if args.only in (None, "training"):
            scratch = Path(name) / "training"
            scratch.mkdir()
            results = compare_training(
                scratch, sizes=args.training_sizes, num_runs=args.runs, say=say
            )
            tables += report.ways_to_train(results)
            samples["training"] = [dataclasses.asdict(result) for result in results]
        if args.only in (None, "quality"):
            scratch = Path(name) / "quality"
            scratch.mkdir()
            runs = compare_quality(scratch, num_runs=args.runs, say=say)
            tables.append(report.qualities(runs))
            samples["quality"] = [[dataclasses.asdict(model) for model in run] for run in runs]
        if args.only in (None, "lineage"):
            scratch = Path(name) / "lineage"
            scratch.mkdir()
            questions = lineage.ask_questions(scratch, num_runs=args.runs, say=say)
            tables.append(lineage.table(questions))
            samples["lineage"] = [dataclasses.asdict(question) for question in questions]
        if args.only in (None, "serving"):
            scratch = Path(name) / "serving"
            scratch.mkdir()
            found = serving.compare_serving(scratch, say=say)
            tables.append(serving.table(found))
            samples["serving"] = dataclasses.asdict(found)
    return tables, samples


if __name__ == "__main__":
    sys.exit(main())

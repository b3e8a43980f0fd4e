"""`python -m serving.client predict`: from files of rows to a file of predictions."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from serving.client import defaults, whom
from serving.client.asking import Pace, Question, ask
from serving.client.connecting import connect
from serving.client.connection import Address, Target
from serving.client.inputs import match
from serving.client.output import Writer, opened
from serving.client.rows import Row, Source
from serving.columns import ModelColumns

_FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}


def run(args: argparse.Namespace) -> int:
    """Runs the verb.

    Raises:
        ClientError: of whatever kind; what was written with --out is removed.
    """
    address = Address.parse(args.server or defaults.SERVER)
    access = whom.access(args, defaults.TOKEN)
    folder = whom.serving_folder(args, defaults.SERVING)
    target = whom.target(args, folder)
    source = Source.of(args.inputs, args.input_format, args.delimiter)
    known = whom.columns(target, folder)
    with opened(args.out) as file:
        writer = Writer(file, _format(args, source), args.keep)
        asyncio.run(_predict(args, address, access, target, source, known, writer))
    return 0


async def _predict(
    args: argparse.Namespace,
    address: Address,
    access: whom.Access,
    target: Target,
    source: Source,
    known: ModelColumns | None,
    writer: Writer,
) -> None:
    pace = Pace(batch=args.batch, width=args.width, patience_s=args.patience)
    started, answered = time.monotonic(), set[str]()
    async with connect(address, access, width=args.width) as connection:
        signature = whom.signature(await connection.signatures(target), args.signature)
        columns, rows = _first_columns(source.rows())
        # In JSON any row may lack any column.
        may_lack = args.allow_missing or source.format == "jsonl"
        inputs = match(signature, columns, known, allow_missing=may_lack)
        question = Question(
            connection=connection, target=target, signature=signature, inputs=inputs
        )
        with _progress(args.quiet) as progress:
            task = progress.add_task("rows")
            async for batch, answer in ask(question, rows, pace):
                writer.write(batch, answer.outputs)
                answered |= {answer.version} if answer.version else set()
                progress.update(task, description=f"{writer.num_rows:,} rows")
    if not args.quiet:
        seconds = time.monotonic() - started
        by = f" by version {', '.join(sorted(answered, key=int))}" if answered else ""
        print(f"{writer.num_rows:,} rows in {seconds:.1f} s{by}", file=sys.stderr)


def _first_columns(rows: Iterator[Row]) -> tuple[tuple[str, ...] | None, Iterator[Row]]:
    """The columns of the first row, if there is one, and all rows."""
    first = next(rows, None)
    return (tuple(first.values), itertools.chain([first], rows)) if first else (None, rows)


def _format(args: argparse.Namespace, source: Source) -> str:
    """Of the output: as said, as the file is named, or as the input."""
    if args.format:
        return str(args.format)
    named = _FORMATS.get(Path(args.out).suffix.lower()) if args.out else None
    return named or ("jsonl" if source.format == "jsonl" else "csv")


def _progress(quiet: bool) -> Progress:
    console = Console(stderr=True)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        # The rows themselves go to the same terminal.
        disable=quiet or not console.is_terminal or sys.stdout.isatty(),
    )

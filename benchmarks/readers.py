"""Compares ExampleGens alone: the stock CsvExampleGen, and ours on CSV and on Parquet."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.measure import PROJECT, BenchmarkError, environment, measure
from benchmarks.scale import write_table
from benchmarks.stock_template import Stock

STOCK = "stock CsvExampleGen"
# The function of `benchmarks.readers_contender`, and the kind of table that it reads.
READERS = {
    STOCK: ("stock", "csv"),
    "ours, CSV": ("ours", "csv"),
    "ours, Parquet": ("ours", "parquet"),
}


@dataclass(frozen=True)
class Reader:
    """What one reader cost at one size; medians of all runs.

    Attributes:
        name: its name.
        num_rows: of the table.
        seconds: from the look at the table to the end of the node, without imports.
        wall_s: of the whole process.
        peak_bytes: resident memory of the largest process.
    """

    name: str
    num_rows: int
    seconds: float
    wall_s: float
    peak_bytes: float

    @property
    def rows_per_s(self) -> float:
        """Rows read, encoded, split and written in a second."""
        return self.num_rows / self.seconds


def compare_readers(
    scratch: Path, *, sizes: Sequence[int], num_runs: int, say: Callable[[str], None]
) -> list[Reader]:
    """Measures every reader at every size, each run in a process of its own.

    Args:
        scratch: an existing, empty directory to work in.
        sizes: numbers of rows.
        num_runs: how often each is measured, in turns.
        say: called before each measurement with what is measured.

    Raises:
        BenchmarkError: a process failed, or readers disagree about the number of rows.
    """
    (scratch / "stock").mkdir()
    trips = Stock(scratch / "stock").table
    results = []
    for num_rows in sorted(sizes):
        tables = {kind: scratch / kind / f"trips.{kind}" for kind in ("csv", "parquet")}
        for table in tables.values():
            table.parent.mkdir(exist_ok=True)
        write_table(trips, tables["csv"], num_rows)
        say(f"{num_rows:,} rows as Parquet")
        _call(scratch, "to_parquet", tables["csv"], tables["parquet"])
        costs: dict[str, list[Reader]] = {name: [] for name in READERS}
        for number in range(num_runs):
            for name, (function, kind) in READERS.items():
                say(f"{name}: {num_rows:,} rows, run {number + 1} of {num_runs}")
                costs[name].append(_measure(scratch, name, function, tables[kind], num_rows))
        results += [_median(found) for found in costs.values()]
    return results


def _measure(scratch: Path, name: str, function: str, table: Path, num_rows: int) -> Reader:
    root = scratch / "root"
    found, wall_s, peak_bytes = _call(scratch, function, table, root)
    shutil.rmtree(root)
    if found["num_rows"] != num_rows:
        raise BenchmarkError(f"{name} read {found['num_rows']:,} of {num_rows:,} rows.")
    return Reader(name, num_rows, found["seconds"], wall_s, peak_bytes)


def _call(
    scratch: Path, function: str, table: Path, target: Path
) -> tuple[dict[str, float], float, int]:
    """What the contender printed last, its seconds and its bytes."""
    command = [sys.executable, "-m", "benchmarks.readers_contender", function]
    log = scratch / "contender.log"
    sample = measure([*command, str(table), str(target)], cwd=PROJECT, log=log, env=environment())
    found = json.loads(log.read_text(errors="replace").splitlines()[-1])
    return found, sample.wall_s, sample.peak_bytes


def _median(found: Sequence[Reader]) -> Reader:
    return Reader(
        found[0].name,
        found[0].num_rows,
        median(reader.seconds for reader in found),
        median(reader.wall_s for reader in found),
        median(reader.peak_bytes for reader in found),
    )

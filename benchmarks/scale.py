"""How time and memory grow when the taxi table is repeated, and which node bounds them."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.measure import Sample
from benchmarks.ours import Ours
from benchmarks.stock_template import Stock


@dataclass(frozen=True)
class Size:
    """The samples of one size."""

    num_rows: int
    samples: list[Sample]

    @property
    def wall_s(self) -> float:
        """The median time of the whole process."""
        return median(sample.wall_s for sample in self.samples)

    @property
    def peak_bytes(self) -> float:
        """The median of the peak memory."""
        return median(sample.peak_bytes for sample in self.samples)

    @property
    def nodes(self) -> dict[str, float]:
        """The median seconds of each node."""
        return {
            node: median(sample.nodes[node] for sample in self.samples)
            for node in self.samples[0].nodes
        }


def write_table(source: Path, target: Path, num_rows: int) -> None:
    """Writes `num_rows` rows under the header of the CSV file `source`, repeating its rows."""
    with source.open("rb") as lines:
        header = next(lines)
        rows = [row.rstrip(b"\r\n") + b"\n" for row in lines]
    with target.open("wb") as output:
        output.write(header)
        output.writelines(itertools.islice(itertools.cycle(rows), num_rows))


def grow(
    scratch: Path,
    *,
    sizes: Sequence[int],
    stock_sizes: Sequence[int],
    num_runs: int,
    say: Callable[[str], None],
) -> tuple[list[Size], list[Size]]:
    """Measures cold runs on tables of several sizes.

    Args:
        scratch: an existing, empty directory to work in.
        sizes: numbers of rows for ours.
        stock_sizes: numbers of rows for the stock template, which takes long with many.
        num_runs: how often each is measured.
        say: called before each measurement with what is measured.

    Returns:
        Ours and the stock template's, in the order of their sizes.

    Raises:
        BenchmarkError: a run failed.
    """
    (scratch / "stock").mkdir()
    stock = Stock(scratch / "stock")
    ours_at = {num_rows: Size(num_rows, []) for num_rows in sorted(sizes)}
    stock_at = {num_rows: Size(num_rows, []) for num_rows in sorted(stock_sizes)}
    for num_rows in sorted(ours_at | stock_at):
        table = scratch / "trips.csv"
        write_table(stock.table, table, num_rows)
        for index in range(1, num_runs + 1):
            what = f"{num_rows:,} rows, run {index} of {num_runs}"
            if num_rows in ours_at:
                say(f"ours, {what}")
                root = scratch / "ours"
                ours_at[num_rows].samples.append(Ours(root).run(table))
                shutil.rmtree(root)
            if num_rows in stock_at:
                say(f"stock template, {what}")
                stock_at[num_rows].samples.append(stock.run(table))
    return list(ours_at.values()), list(stock_at.values())


def bounds(sizes: Sequence[Size]) -> list[str]:
    """Says for each size, in a line, where the time goes and what more rows would cost.

    Args:
        sizes: in ascending order.
    """
    lines = []
    for index, size in enumerate(sizes):
        node, seconds = max(size.nodes.items(), key=lambda item: item[1])
        outside = max(0.0, size.wall_s - sum(size.nodes.values()))
        where = f"{node} takes {seconds:.1f} s of {size.wall_s:.1f} s"
        if outside > seconds:
            where = f"imports and all outside the nodes take {outside:.1f} s of {size.wall_s:.1f} s"
        line = f"{size.num_rows:,} rows: {where}"
        if index:
            line += f"; {_cost_of_more(sizes[index - 1], size)}"
        lines.append(line + ".")
    return lines


def _cost_of_more(smaller: Size, larger: Size) -> str:
    millions = (larger.num_rows - smaller.num_rows) / 1e6
    growth = {
        node: (seconds - smaller.nodes.get(node, 0.0)) / millions
        for node, seconds in larger.nodes.items()
    }
    slope_s = (larger.wall_s - smaller.wall_s) / millions
    slope_gb = (larger.peak_bytes - smaller.peak_bytes) / 1e9 / millions
    most = sorted(growth, key=lambda node: growth[node], reverse=True)[:2]
    shares = " and ".join(f"{node} {growth[node]:.1f} s" for node in most)
    return f"a further million rows costs {slope_s:.0f} s ({shares}) and {slope_gb:.2f} GB"

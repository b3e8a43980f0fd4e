"""Measurements as tables: for the terminal, and as Markdown for the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import rich.table

from benchmarks.measure import Sample, Spread
from benchmarks.quality import ALLOWED, BOOSTED, Quality, missed
from benchmarks.readers import STOCK, Reader
from benchmarks.scale import Size, bounds
from benchmarks.stock_template import Comparison
from benchmarks.training import WAYS, Result

OUTSIDE = "imports and the rest"


@dataclass(frozen=True)
class Table:
    """A title, a header, rows of text, and remarks below; the first column is text."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def to_rich(self) -> rich.table.Table:
        """The table for a terminal."""
        table = rich.table.Table(box=None, pad_edge=False)
        for index, column in enumerate(self.columns):
            table.add_column(column, justify="right" if index else "left")
        for row in self.rows:
            table.add_row(*row)
        return table

    def to_markdown(self) -> str:
        """The table, its title in bold above it and its notes as a list below."""
        rule = [":--", *["--:"] * (len(self.columns) - 1)]
        lines = [f"**{self.title}**", ""]
        lines += [f"| {' | '.join(row)} |" for row in (self.columns, rule, *self.rows)]
        if self.notes:
            lines += ["", *(f"- {note}" for note in self.notes)]
        return "\n".join(lines) + "\n"


def whole_runs(comparison: Comparison) -> Table:
    """Time and memory of whole processes, and their ratio to the stock template's."""
    stock_s = median(sample.wall_s for sample in comparison.stock)
    stock_bytes = median(sample.peak_bytes for sample in comparison.stock)
    rows = []
    for name, samples in (
        ("stock template", comparison.stock),
        ("ours, cold", comparison.cold),
        ("ours, nothing changed", comparison.again),
    ):
        time = Spread.of(sample.wall_s for sample in samples)
        peak = median(sample.peak_bytes for sample in samples)
        tree = median(sample.tree_peak_bytes for sample in samples)
        seconds = [f"{value:.1f}" for value in (time.median, time.min, time.max)]
        ratios = [f"{time.median / stock_s:.2f}", f"{peak / stock_bytes:.2f}"]
        gigabytes = [f"{peak / 1e9:.2f}", f"{tree / 1e9:.2f}" if tree else "-"]
        rows.append([name, *seconds, ratios[0], gigabytes[0], ratios[1], gigabytes[1]])
    columns = ["", "median s", "min s", "max s", "x stock", "peak GB", "x stock", "all GB"]
    num_runs = len(comparison.stock)
    return Table(
        f"Whole process, 15,002 rows, 1000 steps of 40, {num_runs} alternating runs",
        columns,
        rows,
        [
            "Peak is the resident memory of the largest process; all adds the processes alive at "
            "the same time, shared pages counted twice.",
            "The stock template has no ExampleValidator without a curated schema, and no data "
            "gate or serving check; ours runs them.",
        ],
    )


def per_node(comparison: Comparison) -> Table:
    """The median seconds of each node, and what is left of the process."""
    stock, ours = _node_medians(comparison.stock), _node_medians(comparison.cold)
    order = [*ours, *(node for node in stock if node not in ours)]
    order = [*(node for node in order if node != OUTSIDE), OUTSIDE]
    rows = [[node, _seconds(stock.get(node)), _seconds(ours.get(node))] for node in order]
    return Table("Seconds of each node (median, cold)", ["node", "stock", "ours"], rows)


def growth(ours: Sequence[Size], stock: Sequence[Size]) -> Table:
    """Time, memory and throughput by number of rows, with what bounds each size of ours."""
    rows = []
    for name, sizes in (("ours", ours), ("stock", stock)):
        for size in sizes:
            cost = [f"{size.wall_s:.1f}", f"{size.peak_bytes / 1e9:.2f}"]
            rate = f"{size.num_rows / size.wall_s:,.0f}"
            rows.append([f"{name}, {size.num_rows:,} rows", *cost, rate])
    num_runs = len((*ours, *stock)[0].samples)
    title = f"Cold runs by number of rows, 1000 steps of 40 (median of {num_runs})"
    return Table(title, ["", "wall s", "peak GB", "rows/s"], rows, bounds(ours))


def growth_per_node(ours: Sequence[Size]) -> Table:
    """The median seconds of each of our nodes by number of rows."""
    by_size = [_node_medians(size.samples) for size in ours]
    rows = [[node, *(_seconds(nodes.get(node)) for nodes in by_size)] for node in by_size[-1]]
    return Table(
        "Seconds of each node of ours by number of rows",
        ["node", *(f"{size.num_rows:,}" for size in ours)],
        rows,
    )


def readers(found: Sequence[Reader]) -> Table:
    """Time, memory and throughput of ExampleGens alone, and their ratio to the stock one's."""
    stock = {reader.num_rows: reader.rows_per_s for reader in found if reader.name == STOCK}
    rows = []
    for reader in found:
        rate = f"{reader.rows_per_s:,.0f}"
        ratio = f"{reader.rows_per_s / stock[reader.num_rows]:.1f}"
        cost = [f"{reader.seconds:.1f}", rate, ratio, f"{reader.peak_bytes / 1e9:.2f}"]
        rows.append([f"{reader.name}, {reader.num_rows:,} rows", *cost])
    notes = [
        "From the first look at the table to the splits on disk, on one Beam runner, without "
        "imports; each run is a process of its own."
    ]
    columns = ["", "s", "rows/s", "x stock", "peak GB"]
    return Table("ExampleGen alone, the taxi table repeated", columns, rows, notes)


def ways_to_train(results: Sequence[Result]) -> list[Table]:
    """A table for each number of rows: thousands of examples a second, and ratios to stock."""
    tables = []
    for num_rows in dict.fromkeys(result.num_rows for result in results):
        found = [result for result in results if result.num_rows == num_rows]
        sizes = list(dict.fromkeys(result.batch_size for result in found))
        stock = {r.batch_size: r.examples_per_s for r in found if r.way == WAYS[0].name}
        rows = []
        for way in dict.fromkeys(result.way for result in found):
            mine = {r.batch_size: r for r in found if r.way == way}
            row = [way]
            for size in sizes:
                rate = mine[size].examples_per_s
                row += [f"{rate / 1e3:,.0f}", f"{rate / stock[size]:.1f}"]
            first_s = max(result.first_s for result in mine.values())
            peak = max(result.peak_bytes for result in mine.values())
            rows.append([*row, f"{first_s:.1f}", f"{peak / 1e9:.2f}"])
        columns = ["thousand examples/s"]
        for size in sizes:
            columns += [f"batch {size}", "x stock"]
        title = f"Ways to train the taxi network, {num_rows:,} rows"
        notes = ["First s is the longest first call, in which TensorFlow traces and compiles."]
        tables.append(Table(title, [*columns, "first s", "peak GB"], rows, notes))
    return tables


def qualities(runs: Sequence[Sequence[Quality]]) -> Table:
    """Each model's metrics over all seeds, the median and the worst, and whether ours is good."""
    rows = []
    for models in zip(*runs, strict=True):
        auc = Spread.of(model.auc for model in models)
        loss = Spread.of(model.log_loss for model in models)
        accuracy = median(model.accuracy for model in models)
        numbers = (auc.median, auc.min, loss.median, loss.max, accuracy)
        rows.append([models[0].model, *(f"{number:.4f}" for number in numbers)])
    met = f"Ours is at most {ALLOWED:g} behind {BOOSTED} in AUC and log loss with every seed."
    return Table(
        f"Quality on the eval split of the taxi table (median of {len(runs)} seeds)",
        ["", "AUC", "worst", "log loss", "worst", "accuracy"],
        rows,
        missed(runs) or [met],
    )


def _node_medians(samples: Sequence[Sample]) -> dict[str, float]:
    nodes = {node: median(s.nodes[node] for s in samples) for node in samples[0].nodes}
    nodes[OUTSIDE] = median(max(0.0, s.wall_s - sum(s.nodes.values())) for s in samples)
    return nodes


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"

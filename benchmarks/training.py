"""Compares ways to train one network on the transformed taxi examples, and what bounds them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import PROJECT, BenchmarkError, environment, measure

BATCH_SIZES = (64, 512, 4096)
# Of the taxi table, what the train split holds; files are linked as often as is needed.
_MIN_STEPS = 200


@dataclass(frozen=True)
class Way:
    """A way to train.

    Attributes:
        name: as the table calls it.
        function: in `benchmarks.training_contender`.
        rows: how many rows it is measured on.
        settings: of training, beside the batch size and the steps.
    """

    name: str
    function: str
    rows: int
    settings: Mapping[str, Any]


_STREAMED = {"cache_bytes": 0}
_CACHED = {"cache_bytes": 2**31}
WAYS = (
    Way("model.fit, as in the stock template", "stock_fit", 600_000, {}),
    Way("model.fit, tuned, streamed", "tuned_fit", 1_000_000, {"input": _STREAMED}),
    Way("model.fit, tuned, cached", "tuned_fit", 2_000_000, {"input": _CACHED}),
    Way("ours, streamed", "ours", 3_000_000, {"input": _STREAMED}),
    Way(
        "ours, in memory, no XLA",
        "ours",
        3_000_000,
        {"input": _CACHED, "execution": {"jit_compile": False}},
    ),
    Way(
        "ours, in memory, XLA",
        "ours",
        5_000_000,
        {"input": _CACHED, "execution": {"jit_compile": True}},
    ),
    Way("the steps on one batch, XLA", "limit", 5_000_000, {"execution": {"jit_compile": True}}),
    Way("the streamed input alone", "input_alone", 5_000_000, {"input": _STREAMED}),
)


@dataclass(frozen=True)
class Result:
    """What one way cost at one size and batch size; medians of all runs.

    Attributes:
        way: its name.
        num_rows: of the data set.
        batch_size: rows of a step.
        examples_per_s: after the first call.
        first_s: the seconds of the first call, tracing and compiling included.
        peak_bytes: resident memory of its process.
    """

    way: str
    num_rows: int
    batch_size: int
    examples_per_s: float
    first_s: float
    peak_bytes: float


def compare_training(
    scratch: Path, *, sizes: Sequence[int], num_runs: int, say: Callable[[str], None]
) -> list[Result]:
    """Measures every way at every batch size and number of rows.

    Args:
        scratch: an existing, empty directory to work in.
        sizes: numbers of training rows.
        num_runs: how often each is measured, in turns.
        say: called before each measurement with what is measured.

    Raises:
        BenchmarkError: a process failed.
    """
    made = _transform(scratch, say)
    results = []
    for num_rows in sizes:
        files = _repeat(made.examples, scratch / str(num_rows), made.num_rows, num_rows)
        for batch_size in BATCH_SIZES:
            costs: dict[str, list[dict[str, float]]] = {way.name: [] for way in WAYS}
            for number in range(num_runs):
                for way in WAYS:
                    say(
                        f"{way.name}: {num_rows:,} rows, batches of {batch_size}, "
                        f"run {number + 1} of {num_runs}"
                    )
                    costs[way.name].append(_measure(way, made, files, batch_size, scratch))
            for name, found in costs.items():
                middle = {key: median(cost[key] for cost in found) for key in found[0]}
                results.append(Result(name, num_rows, batch_size, **middle))
    return results


@dataclass(frozen=True)
class _Made:
    """What Transform made of the taxi table."""

    examples: list[Path]
    graph: Path
    spec: Path
    num_rows: int


def _transform(scratch: Path, say: Callable[[str], None]) -> _Made:
    say("the taxi table, up to Transform")
    root = scratch / "root"
    command = [sys.executable, "-m", "pipeline.run_local", "--root", str(root), "--to", "Trainer"]
    command += ["--set", "training.steps=1"]
    measure(command, cwd=PROJECT, log=scratch / "transform.log", env=environment())
    report = json.loads((root / "report" / "run.json").read_text())
    [graph] = root.glob("artifacts/*/Transform/transform_graph/*")
    examples = sorted(root.glob("artifacts/*/Transform/transformed_examples/*/Split-train/*.gz"))
    [spec] = root.glob("artifacts/*/Trainer/model/*/Format-Serving/assets.extra/data_spec.json")
    if not examples:
        raise BenchmarkError(f"Transform made no examples under {root}.")
    return _Made(examples, graph, spec, int(report["rows"]["train"]))


def _repeat(examples: Sequence[Path], folder: Path, num_rows: int, wanted: int) -> str:
    """Links the files into `folder` until they hold about `wanted` rows; returns a pattern."""
    folder.mkdir()
    for number in range(max(1, round(wanted / num_rows))):
        for part, path in enumerate(examples):
            os.link(path, folder / f"{number:05d}-{part:05d}.gz")
    return str(folder / "*.gz")


def _measure(way: Way, made: _Made, files: str, batch_size: int, scratch: Path) -> dict[str, float]:
    # Whole calls of 50 steps.
    steps = max(_MIN_STEPS, way.rows // batch_size // 50 * 50)
    settings = {"steps": steps, "batch_size": batch_size, **way.settings}
    command = [sys.executable, "-m", "benchmarks.training_contender", way.function]
    command += ["--files", files, "--graph", str(made.graph), "--spec", str(made.spec)]
    command += ["--settings", json.dumps(settings)]
    log = scratch / "contender.log"
    sample = measure(command, cwd=PROJECT, log=log, env=environment())
    found = json.loads(log.read_text(errors="replace").splitlines()[-1])
    return {**found, "peak_bytes": sample.peak_bytes}

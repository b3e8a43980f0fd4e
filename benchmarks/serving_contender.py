"""Calls a pushed model in this process and prints, as JSON, how many rows it answers.

python -m benchmarks.serving_contender VERSION_FOLDER ROWS_A_CALL
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np

from benchmarks.measure import BenchmarkError

SIGNATURE = "serving_raw"
_SECONDS = 4.0


def inputs(version: Path, size: int) -> dict[str, np.ndarray]:
    """`size` rows of the version's warm-up requests, repeated as often as is needed.

    Raises:
        BenchmarkError: there are none.
    """
    from serving.server.warmup import requests

    asked = [arrays for name, arrays in requests(version) if name == SIGNATURE]
    if not asked:
        raise BenchmarkError(f"{version} was pushed without warm-up requests to {SIGNATURE}.")
    rows = {name: np.concatenate([arrays[name] for arrays in asked]) for name in asked[0]}
    which = np.arange(size) % len(next(iter(rows.values())))
    return {name: array[which] for name, array in rows.items()}


def main(version: Path, size: int) -> dict[str, float]:
    """Measures with one thread, and with one for each core; returns the better."""
    from serving.runtime import SavedModel

    model = SavedModel(version)
    asked = inputs(version, size)
    for _ in range(20):
        model.run(asked, signature=SIGNATURE)
    found = [_measure(model, asked, count) for count in sorted({1, os.cpu_count() or 1})]
    rows_per_s, seconds = max(
        (sum(map(len, each)) * size / _SECONDS, [s for thread in each for s in thread])
        for each in found
    )
    return {
        "rows_per_s": rows_per_s,
        "p50_ms": 1000 * median(seconds),
        "p99_ms": 1000 * quantiles(seconds, n=100)[98],
    }


def _measure(model: Any, asked: dict[str, np.ndarray], num_threads: int) -> list[list[float]]:
    """The seconds of each call, by thread."""
    until = time.perf_counter() + _SECONDS

    def ask(_: int) -> list[float]:
        calls = []
        start = time.perf_counter()
        while start < until:
            model.run(asked, signature=SIGNATURE)
            end = time.perf_counter()
            calls.append(end - start)
            start = end
        return calls

    with ThreadPoolExecutor(num_threads) as pool:
        return list(pool.map(ask, range(num_threads)))


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))

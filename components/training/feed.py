"""Makes the batches of the next call while the steps of the last one run."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from components.training.batches import Batches, Call


def feed(batches: Batches, sizes: Iterator[int]) -> Iterator[Call]:
    """The calls of `sizes` steps, each made one ahead of its use, in a thread."""
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches")
    try:
        upcoming: Future[Call] | None = None
        for size in sizes:
            following = pool.submit(batches.take, size)
            if upcoming is not None:
                yield upcoming.result()
            upcoming = following
        if upcoming is not None:
            yield upcoming.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)

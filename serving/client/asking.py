"""Asks a server about many rows: in batches, several at a time, answered in order."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import itertools
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

import tenacity

from serving.client.connection import Answer, Connection, Target
from serving.client.errors import Busy
from serving.client.inputs import Input, to_arrays
from serving.client.rows import Row
from serving.client.signature import Signature

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 5.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pace:
    """How much is asked at once.

    Attributes:
        batch: rows in one request.
        width: requests under way.
        patience_s: how long a request is repeated that a busy server refuses.
    """

    batch: int = 64
    width: int = 4
    patience_s: float = 30.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of whom."""

    connection: Connection
    target: Target
    signature: Signature
    inputs: Sequence[Input]


async def ask(
    question: Question, rows: Iterable[Row], pace: Pace
) -> AsyncIterator[tuple[list[Row], Answer]]:
    """Yields each batch with its answer, in order.

    Rows are read as answers come, so memory does not grow with them.

    Args:
        question: what is asked of whom.
        rows: about what.
        pace: how much at once.

    Raises:
        ClientError: of the first batch that fails; those that are under way are given up.
    """
    under_way: collections.deque[tuple[list[Row], asyncio.Task[Answer]]] = collections.deque()
    try:
        for batch in _batches(rows, pace.batch):
            under_way.append((batch, asyncio.create_task(_answer(question, batch, pace))))
            if len(under_way) == pace.width:
                first, task = under_way.popleft()
                yield first, await task
        while under_way:
            first, task = under_way.popleft()
            yield first, await task
    finally:
        for _, task in under_way:
            task.cancel()
        await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)


async def _answer(question: Question, rows: Sequence[Row], pace: Pace) -> Answer:
    signature = question.signature
    arrays = to_arrays(rows, question.inputs, signature=signature.name)
    retrying = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type(Busy),
        wait=tenacity.wait_random_exponential(_FIRST_WAIT_S, _LONGEST_WAIT_S),
        stop=tenacity.stop_after_delay(pace.patience_s),
        reraise=True,
    )
    answer: Answer = await retrying(question.connection.predict, question.target, signature, arrays)
    return answer


def _batches(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while batch := list(itertools.islice(iterator, size)):
        yield batch

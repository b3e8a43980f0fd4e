"""Puts requests that wait at the same time into one call of the model.

A request goes to the model at once if a worker is free, so a lone request never waits for company.
While all workers are busy requests gather, and the next free worker takes as many of one kind as
fit: the more there is to do, the larger the batches. Requests are of one kind if they ask the same
signature of the same version and their arrays differ in the number of rows alone.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import itertools
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from serving.errors import ModelError
from serving.server.servable import Servable
from serving.signatures import Signature

Arrays = Mapping[str, np.ndarray]
_Kind = tuple[object, ...]


@dataclasses.dataclass(eq=False)
class _Job:
    servable: Servable
    signature: str
    inputs: Arrays
    num_rows: int  # 0: must go alone
    answer: asyncio.Future[dict[str, np.ndarray]]
    due: float


class Batcher:
    """Runs requests in a few threads, those of one kind together.

    Its methods are called in the thread of the event loop.
    """

    def __init__(
        self,
        *,
        num_workers: int,
        max_rows: int,
        wait_s: float,
        observe: Callable[[Servable, int], None],
    ) -> None:
        """Starts no thread yet.

        Args:
            num_workers: how many calls of models run at once.
            max_rows: of a batch; a request with more goes alone. 1 makes no batches.
            wait_s: how long a request may wait for others although a worker is free.
            observe: is told the number of rows of each call.
        """
        self._num_free = num_workers
        self._max_rows = max_rows
        self._wait_s = wait_s
        self._observe = observe
        self._queues: dict[_Kind, deque[_Job]] = {}
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._pool = concurrent.futures.ThreadPoolExecutor(num_workers, "model")

    async def run(
        self, servable: Servable, signature: str, inputs: Arrays
    ) -> dict[str, np.ndarray]:
        """Asks the model, perhaps together with others.

        The servable stays in use until the model has answered, even if the caller gives up before.

        Raises:
            ModelError: the model fails on this request.
        """
        loop = asyncio.get_running_loop()
        num_rows = _rows(servable, signature, inputs)
        job = _Job(
            servable, signature, inputs, num_rows, loop.create_future(), loop.time() + self._wait_s
        )
        servable.acquire()
        self._queues.setdefault(self._kind(job), deque()).append(job)
        self._dispatch()
        return await job.answer

    def close(self) -> None:
        """Ends the threads; no request may be under way."""
        self._pool.shutdown(wait=False)

    def _kind(self, job: _Job) -> _Kind:
        if not 0 < job.num_rows < self._max_rows:
            return (next(self._numbers),)
        shapes = tuple((name, job.inputs[name].shape[1:]) for name in sorted(job.inputs))
        return (id(job.servable), job.signature, shapes)

    def _dispatch(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._num_free and self._queues:
            kind, queue = min(self._queues.items(), key=lambda item: item[1][0].due)
            if queue[0].due > now and not (kind := self._full()):
                self._wake_at(queue[0].due)
                return
            jobs = self._take(kind)
            if jobs:
                self._num_free -= 1
                running = asyncio.ensure_future(self._run(jobs))
                running.add_done_callback(self._done)

    def _full(self) -> _Kind:
        """A kind that has no reason to wait; empty if there is none."""
        for kind, queue in self._queues.items():
            if len(kind) == 1 or sum(job.num_rows for job in queue) >= self._max_rows:
                return kind
        return ()

    def _take(self, kind: _Kind) -> list[_Job]:
        """The next batch of a kind, without those whose caller has given up."""
        queue = self._queues[kind]
        jobs: list[_Job] = []
        num_rows = 0
        while queue and (not jobs or num_rows + queue[0].num_rows <= self._max_rows):
            job = queue.popleft()
            if job.answer.done():
                job.servable.release()
                continue
            jobs.append(job)
            num_rows += job.num_rows
        if not queue:
            del self._queues[kind]
        return jobs

    def _wake_at(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(due, self._dispatch)

    async def _run(self, jobs: Sequence[_Job]) -> None:
        first = jobs[0]
        self._observe(first.servable, sum(max(job.num_rows, 1) for job in jobs))
        asked = [job.inputs for job in jobs]
        answers: Sequence[dict[str, np.ndarray] | Exception]
        try:
            answers = await asyncio.get_running_loop().run_in_executor(
                self._pool, ask, first.servable, first.signature, asked
            )
        except Exception as error:
            answers = [error] * len(jobs)
        finally:
            for job in jobs:
                job.servable.release()
        for job, answer in zip(jobs, answers, strict=True):
            if job.answer.done():
                continue
            if isinstance(answer, Exception):
                job.answer.set_exception(answer)
            else:
                job.answer.set_result(answer)

    def _done(self, running: asyncio.Future[None]) -> None:
        self._num_free += 1
        self._dispatch()
        running.result()


def ask(
    servable: Servable, signature: str, requests: Sequence[Arrays]
) -> list[dict[str, np.ndarray] | Exception]:
    """Asks a model several requests of one kind, in one call if it can be.

    Returns:
        For each request its outputs, or why the model fails on it alone.
    """
    if len(requests) == 1:
        return [_ask_one(servable, signature, requests[0])]
    together = {name: np.concatenate([r[name] for r in requests]) for name in requests[0]}
    ends = list(itertools.accumulate(len(next(iter(r.values()))) for r in requests))
    try:
        outputs = servable.saved_model.run(together, signature=signature)
    except ModelError:
        # One of them is to blame; the others must not notice.
        return [_ask_one(servable, signature, request) for request in requests]
    if any(output.shape[:1] != (ends[-1],) for output in outputs.values()):
        servable.unbatchable.add(signature)
        return [_ask_one(servable, signature, request) for request in requests]
    return [
        {name: output[start:end] for name, output in outputs.items()}
        for start, end in itertools.pairwise([0, *ends])
    ]


def _ask_one(
    servable: Servable, signature: str, request: Arrays
) -> dict[str, np.ndarray] | Exception:
    try:
        return servable.saved_model.run(request, signature=signature)
    except Exception as error:
        return error


def _rows(servable: Servable, name: str, inputs: Arrays) -> int:
    """How many rows a request has; 0 if it cannot be put together with others."""
    signature = servable.signatures[name]
    if name in servable.unbatchable or not _has_rows(signature):
        return 0
    numbers = {array.shape[0] for array in inputs.values()}
    return numbers.pop() if len(numbers) == 1 else 0


def _has_rows(signature: Signature) -> bool:
    """Whether the first dimension of all that goes in and comes out may have any size."""
    shapes = [ref.shape for ref in signature.inputs.values()]
    # Of an output whose rank is not known, the answer itself will tell.
    shapes += [ref.shape for ref in signature.outputs.values() if ref.shape is not None]
    return bool(signature.inputs) and all(shape and shape[0] == -1 for shape in shapes)

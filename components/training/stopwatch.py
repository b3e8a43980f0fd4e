"""Where the time of a training goes, as this process sees it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from components.training.batches import Call
from components.training.step import Steps

RunSteps = Callable[[Call], Steps]
MakeCalls = Callable[[Iterator[int]], Iterator[Call]]


class Stopwatch:
    """Adds up seconds.

    The first call into TensorFlow, which also traces and compiles, is kept apart.

    Attributes:
        first_s: the first call.
        input_s: waiting for batches; they are made while the steps before run.
        steps_s: the calls after the first.
        num_steps: how many steps those were.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.first_s = self.input_s = self.steps_s = 0.0
        self.num_steps = 0
        self._clock = clock
        self._begin: float | None = None
        self._is_first = True

    @property
    def other_s(self) -> float:
        """The rest since the first call ended: evaluations, checkpoints, what is written down."""
        if self._begin is None:
            return 0.0
        return max(0.0, self._clock() - self._begin - self.input_s - self.steps_s)

    def times_steps(self, run_steps: RunSteps) -> RunSteps:
        """`run_steps`, measured."""

        def run(call: Call) -> Steps:
            begin = self._clock()
            found = run_steps(call)
            end = self._clock()
            if self._is_first:
                self._is_first = False
                self.first_s, self._begin = end - begin, end
            else:
                self.steps_s += end - begin
                self.num_steps += len(call.index)
            return found

        return run

    def times_input(self, make_calls: MakeCalls) -> MakeCalls:
        """`make_calls`, measured."""

        def calls(sizes: Iterator[int]) -> Iterator[Call]:
            found = make_calls(sizes)
            while True:
                begin = self._clock()
                call = next(found, None)
                if not self._is_first:
                    self.input_s += self._clock() - begin
                if call is None:
                    return
                yield call

        return calls

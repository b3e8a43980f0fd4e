"""The outer loop: runs the compiled steps, and between calls whatever is due.

An action is *what* to do, a function of the moment, and *when* to do it, a rule that knows nothing
of what it triggers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from components import interruption, progress
from components.errors import Interrupted
from components.training.batches import Call
from components.training.step import Steps


class Moment(NamedTuple):
    """Between two calls.

    Attributes:
        step: how many steps are done.
        total: how many will be, at most.
        losses: those of the steps of the last call, float32 [num_steps].
        norms: the global norms of their gradients, float32 [num_steps]; empty if not measured.
        call: the batches they were made with.
        is_last: whether no step will follow.
    """

    step: int
    total: int
    losses: np.ndarray
    norms: np.ndarray
    call: Call
    is_last: bool


class When:
    """A rule that says when an action is due."""

    def next_after(self, step: int) -> int | None:
        """The next step after which the loop must look up for this rule, if it is a certain one."""

    def __call__(self, moment: Moment) -> bool:
        """Whether the action is due now."""
        raise NotImplementedError


class EverySteps(When):
    """After every `num_steps` steps, and after the last; only after the last if 0."""

    def __init__(self, num_steps: int) -> None:
        self._num_steps = num_steps

    def next_after(self, step: int) -> int | None:
        """See `When`."""
        if not self._num_steps:
            return None
        return step - step % self._num_steps + self._num_steps

    def __call__(self, moment: Moment) -> bool:
        """See `When`."""
        if moment.is_last:
            return True
        return bool(self._num_steps) and moment.step % self._num_steps == 0


class AtSteps(When):
    """After each of the steps named, and no other."""

    def __init__(self, *steps: int) -> None:
        self._steps = sorted(steps)

    def next_after(self, step: int) -> int | None:
        """See `When`."""
        return next((s for s in self._steps if s > step), None)

    def __call__(self, moment: Moment) -> bool:
        """See `When`."""
        return moment.step in self._steps


class AtMostEvery(When):
    """Whenever the loop looks up, but once in `interval_s` seconds, and after the last step.

    The first time at once, or if `waits` after that many seconds.
    """

    def __init__(
        self,
        interval_s: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        waits: bool = False,
    ) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._last = clock() if waits else -float("inf")

    def __call__(self, moment: Moment) -> bool:
        """See `When`."""
        now = self._clock()
        if not moment.is_last and now - self._last < self._interval_s:
            return False
        self._last = now
        return True


class Action(NamedTuple):
    """What to do, and when. What it returns as true ends the training after this moment."""

    when: When
    what: Callable[[Moment], bool | None]


def run_loop(
    run_steps: Callable[[Call], Steps],
    calls: Callable[[Iterator[int]], Iterator[Call]],
    actions: Sequence[Action],
    *,
    start: int,
    total: int,
    steps_per_call: int,
    guard: Callable[[np.ndarray, Call, int], None],
    save: Callable[[Moment], bool | None],
    is_stopped: Callable[[], bool] = interruption.is_requested,
) -> None:
    """Trains from step `start` to step `total`, or until an action ends it.

    Args:
        run_steps: makes the steps of one call.
        calls: gives it the batches of each call, of as many steps as are asked for, one by one.
        actions: done between calls in this order, those that are due. The one that ends the
            training is followed by the rest, to which this moment is the last.
        start: how many steps are done already.
        total: how many shall be done.
        steps_per_call: at most so many steps a call; fewer where an action is due earlier.
        guard: looks at the losses of each call, which began after so many steps, before anyone
            else; what it raises ends the training.
        save: done when the training is asked to stop in between.
        is_stopped: whether it is asked to.

    Raises:
        Interrupted: the training was asked to stop, and has saved.
    """
    step = start
    with interruption.saves_on_request():
        for call in calls(_call_sizes(actions, start, total, steps_per_call)):
            losses, norms = run_steps(call)
            guard(losses, call, step)
            step += len(call.index)
            moment = Moment(step, total, losses, norms, call, step == total)
            for action in actions:
                if action.when(moment) and action.what(moment):
                    moment = moment._replace(is_last=True)
            if moment.is_last:
                return
            if is_stopped():
                save(moment)
                progress.report("Trainer", note=f"stopped, and saved after step {step}")
                raise Interrupted(f"Trainer: stopped, and saved after step {step}.")


def _call_sizes(
    actions: Sequence[Action], start: int, total: int, steps_per_call: int
) -> Iterator[int]:
    """The number of steps of each call, so that no action is passed over."""
    step = start
    while step < total:
        due = [action.when.next_after(step) for action in actions]
        stop = min([step + steps_per_call, total, *(d for d in due if d is not None)])
        yield stop - step
        step = stop

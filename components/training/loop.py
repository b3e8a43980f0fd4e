"""The outer loop: runs the compiled steps, and between calls whatever is due.

An action is *what* to do, a function of the moment, and *when* to do it, a rule that knows nothing
of what it triggers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from components.errors import NodeFailed
from components.training.data import Rows
from components.training.step import RunSteps


class Moment(NamedTuple):
    """Between two calls.

    Attributes:
        step: how many steps are done.
        total: how many will be.
        losses: those of the steps of the last call, float32 [num_steps].
    """

    step: int
    total: int
    losses: np.ndarray

    @property
    def is_last(self) -> bool:
        """Whether all steps are done."""
        return self.step == self.total


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


class AtMostEvery(When):
    """Whenever the loop looks up, but once in `interval_s` seconds, and after the last step."""

    def __init__(self, interval_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._last = -float("inf")

    def __call__(self, moment: Moment) -> bool:
        """See `When`."""
        now = self._clock()
        if not moment.is_last and now - self._last < self._interval_s:
            return False
        self._last = now
        return True


class Action(NamedTuple):
    """What to do, and when."""

    when: When
    what: Callable[[Moment], None]


def run_loop(
    run_steps: RunSteps,
    take: Callable[[int], Rows],
    actions: Sequence[Action],
    *,
    start: int,
    total: int,
    steps_per_call: int,
) -> None:
    """Trains from step `start` to step `total`.

    Args:
        run_steps: makes the steps of one call.
        take: gives it the batches of that many steps.
        actions: done between calls in this order, those that are due.
        start: how many steps are done already.
        total: how many shall be done.
        steps_per_call: at most so many steps a call; fewer where an action is due earlier.

    Raises:
        NodeFailed: a loss is infinite or not a number. No action has seen it.
    """
    step = start
    while step < total:
        due = [action.when.next_after(step) for action in actions]
        stop = min([step + steps_per_call, total, *(d for d in due if d is not None)])
        losses = run_steps(take(stop - step))
        _require_finite(losses, step)
        step = stop
        moment = Moment(step, total, losses)
        for action in actions:
            if action.when(moment):
                action.what(moment)


def _require_finite(losses: np.ndarray, step: int) -> None:
    bad = np.flatnonzero(~np.isfinite(losses))
    if bad.size:
        raise NodeFailed(
            f"Trainer: the loss is {losses[bad[0]]} at step {step + int(bad[0]) + 1}; no model was "
            "written. Lower training.learning_rate, or look for extreme values in the label."
        )

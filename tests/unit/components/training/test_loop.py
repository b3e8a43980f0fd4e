from __future__ import annotations

import numpy as np
import pytest

from components.errors import NodeFailed
from components.training.data import Rows
from components.training.loop import Action, AtMostEvery, EverySteps, Moment, run_loop


def moment(step: int, total: int = 100) -> Moment:
    return Moment(step, total, np.zeros(1, np.float32))


class Run:
    """A training that only counts; the loss of step n is n, but nan at `nan_at`."""

    def __init__(self, nan_at: int | None = None) -> None:
        self.step = 0
        self.calls: list[int] = []
        self.seen: list[tuple[str, int]] = []
        self._nan_at = nan_at

    def take(self, num_steps: int) -> Rows:
        return {"label": np.zeros(num_steps)}

    def steps(self, rows: Rows) -> np.ndarray:
        self.calls.append(len(rows["label"]))
        numbers = self.step + 1 + np.arange(self.calls[-1])
        self.step = int(numbers[-1])
        return np.where(numbers == self._nan_at, np.nan, numbers)

    def action(self, name: str, when: EverySteps | AtMostEvery) -> Action:
        return Action(when, lambda moment: self.seen.append((name, moment.step)))


def test_a_call_has_at_most_the_steps_per_call_and_ends_at_the_last_step() -> None:
    run = Run()
    run_loop(run.steps, run.take, [], start=0, total=23, steps_per_call=10)
    assert run.calls == [10, 10, 3]


def test_a_call_ends_early_where_an_action_is_due() -> None:
    run = Run()
    actions = [run.action("a", EverySteps(7)), run.action("b", EverySteps(20))]
    run_loop(run.steps, run.take, actions, start=0, total=24, steps_per_call=10)
    assert run.calls == [7, 7, 6, 1, 3]
    assert run.seen == [("a", 7), ("a", 14), ("b", 20), ("a", 21), ("a", 24), ("b", 24)]


def test_a_resumed_loop_looks_up_at_the_same_steps() -> None:
    whole, resumed = Run(), Run()
    resumed.step = 40
    for run in (whole, resumed):
        actions = [run.action("save", EverySteps(20)), run.action("log", EverySteps(15))]
        run_loop(run.steps, run.take, actions, start=run.step, total=90, steps_per_call=10)
    assert resumed.seen == [(name, step) for name, step in whole.seen if step > 40]


def test_an_action_sees_the_losses_of_the_last_call() -> None:
    run, seen = Run(), []
    action = Action(EverySteps(6), lambda moment: seen.append(moment.losses.tolist()))
    run_loop(run.steps, run.take, [action], start=0, total=6, steps_per_call=4)
    assert seen == [[5, 6]]


def test_a_loss_that_is_not_finite_ends_the_training_before_any_action_sees_it() -> None:
    run = Run(nan_at=17)
    actions = [run.action("save", EverySteps(5))]
    with pytest.raises(NodeFailed, match="loss is nan at step 17"):
        run_loop(run.steps, run.take, actions, start=0, total=30, steps_per_call=10)
    assert run.seen == [("save", 5), ("save", 10), ("save", 15)]


def test_a_finished_training_does_nothing() -> None:
    run = Run()
    run_loop(
        run.steps, run.take, [run.action("a", EverySteps(1))], start=9, total=9, steps_per_call=5
    )
    assert run.calls == run.seen == []


def test_every_steps_is_due_at_multiples_and_at_the_end() -> None:
    when = EverySteps(30)
    assert [step for step in range(1, 101) if when(moment(step))] == [30, 60, 90, 100]
    assert [when.next_after(step) for step in (0, 29, 30, 31)] == [30, 30, 60, 60]


def test_every_zero_steps_is_due_only_at_the_end() -> None:
    when = EverySteps(0)
    assert [step for step in range(1, 101) if when(moment(step))] == [100]
    assert when.next_after(50) is None


def test_at_most_every_waits_between_two_times_but_never_misses_the_end() -> None:
    times = iter([0.0, 0.2, 0.5, 0.9, 1.0, 1.1])
    when = AtMostEvery(0.5, clock=lambda: next(times))
    due = [when(moment(step)) for step in (10, 20, 30, 40, 50, 100)]
    assert due == [True, False, True, False, True, True]
    assert when.next_after(10) is None

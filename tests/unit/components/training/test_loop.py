from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from components import interruption
from components.errors import Interrupted, NodeFailed
from components.training.batches import Call, Position
from components.training.loop import (
    Action,
    AtMostEvery,
    AtSteps,
    EverySteps,
    Moment,
    When,
    run_loop,
)
from components.training.step import Steps


def call(num_steps: int) -> Call:
    return Call({}, np.zeros((num_steps, 1), np.int32), Position(offset=num_steps))


def moment(step: int, total: int = 100) -> Moment:
    none = np.zeros(0, np.float32)
    return Moment(step, total, none, none, call(1), step == total)


class Run:
    """A training that only counts; the loss of step n is n, but nan at `nan_at`."""

    def __init__(self, nan_at: int | None = None) -> None:
        self.step = 0
        self.calls: list[int] = []
        self.seen: list[tuple[str, int]] = []
        self._nan_at = nan_at

    def steps(self, made: Call) -> Steps:
        self.calls.append(len(made.index))
        numbers = self.step + 1 + np.arange(self.calls[-1])
        self.step = int(numbers[-1])
        return Steps(np.where(numbers == self._nan_at, np.nan, numbers), 10.0 * numbers)

    def action(self, name: str, when: When, *, ends_at: int | None = None) -> Action:
        def act(moment: Moment) -> bool:
            self.seen.append((name + "!" * moment.is_last, moment.step))
            return moment.step == ends_at

        return Action(when, act)

    def loop(self, *actions: Action, start: int = 0, total: int, steps_per_call: int = 10) -> None:
        self.step = start
        run_loop(
            self.steps,
            lambda sizes: (call(size) for size in sizes),
            actions,
            start=start,
            total=total,
            steps_per_call=steps_per_call,
            guard=_refuse_nan,
            save=lambda moment: self.seen.append(("saved", moment.step)),
        )


def _refuse_nan(losses: np.ndarray, made: Call, step: int) -> None:
    if np.isnan(losses).any():
        raise NodeFailed(f"nan in the call of {len(made.index)} steps after {step}")


@pytest.fixture(autouse=True)
def no_request() -> Iterator[None]:
    yield
    interruption.clear()


def test_a_call_has_at_most_the_steps_per_call_and_ends_at_the_last_step() -> None:
    run = Run()
    run.loop(total=23)
    assert run.calls == [10, 10, 3]


def test_a_call_ends_early_where_an_action_is_due() -> None:
    run = Run()
    run.loop(run.action("a", EverySteps(7)), run.action("b", EverySteps(20)), total=24)
    assert run.calls == [7, 7, 6, 1, 3]
    assert run.seen == [("a", 7), ("a", 14), ("b", 20), ("a", 21), ("a!", 24), ("b!", 24)]


def test_a_resumed_loop_looks_up_at_the_same_steps() -> None:
    whole, resumed = Run(), Run()
    for run, start in ((whole, 0), (resumed, 40)):
        actions = [
            run.action("save", EverySteps(20)),
            run.action("log", EverySteps(15)),
            run.action("change", AtSteps(7, 73)),
        ]
        run.loop(*actions, start=start, total=90)
    assert resumed.seen == [(name, step) for name, step in whole.seen if step > 40]


def test_an_action_sees_the_last_call() -> None:
    run, seen = Run(), []
    run.loop(Action(EverySteps(6), lambda moment: seen.append(moment)), total=6, steps_per_call=4)
    [moment] = seen
    assert moment.losses.tolist() == [5, 6]
    assert moment.norms.tolist() == [50, 60]
    assert (moment.call.position, moment.is_last) == (Position(offset=2), True)


def test_a_loss_that_is_not_finite_ends_the_training_before_any_action_sees_it() -> None:
    run = Run(nan_at=17)
    with pytest.raises(NodeFailed, match="nan in the call of 5 steps after 15"):
        run.loop(run.action("save", EverySteps(5)), total=30)
    assert run.seen == [("save", 5), ("save", 10), ("save", 15)]


def test_an_action_may_end_the_training_and_the_rest_see_the_last_moment() -> None:
    run = Run()
    run.loop(
        run.action("before", EverySteps(10)),
        run.action("end", EverySteps(10), ends_at=20),
        run.action("save", EverySteps(35)),
        total=100,
    )
    assert run.calls == [10, 10]
    assert run.seen[-3:] == [("before", 20), ("end", 20), ("save!", 20)]


def test_a_finished_training_does_nothing() -> None:
    run = Run()
    run.loop(run.action("a", EverySteps(1)), start=9, total=9)
    assert run.calls == run.seen == []


def test_a_request_saves_after_the_call_and_its_actions_and_ends() -> None:
    run = Run()

    def ask(moment: Moment) -> None:
        interruption.request(timeout_s=0)

    with pytest.raises(Interrupted, match="saved after step 10"):
        run.loop(Action(AtSteps(10), ask), run.action("log", EverySteps(5)), total=100)
    assert run.seen == [("log", 5), ("log", 10), ("saved", 10)]


def test_a_request_at_the_last_step_does_not_stop_what_is_done() -> None:
    run = Run()
    run.loop(
        Action(AtSteps(20), lambda moment: interruption.request(timeout_s=0) and None),
        run.action("save", EverySteps(0)),
        total=20,
    )
    assert run.seen == [("save!", 20)]


def test_who_asks_waits_until_the_loop_has_saved() -> None:
    run, begun, answers = Run(), threading.Event(), []

    def ask() -> None:
        begun.wait(30)
        answers.append((interruption.request(timeout_s=30), list(run.seen)))

    asking = threading.Thread(target=ask)
    asking.start()
    with pytest.raises(Interrupted):
        run.loop(Action(EverySteps(1), lambda moment: begun.set()), total=10**9)
    asking.join(30)
    [(ended, seen)] = answers
    assert ended
    assert [name for name, _ in seen] == ["saved"]


@pytest.mark.parametrize("error", [NodeFailed("broken"), KeyboardInterrupt()])
def test_a_loop_that_failed_lets_nobody_wait(error: Any) -> None:
    def fail(moment: Moment) -> None:
        raise error

    with pytest.raises(type(error)):
        Run().loop(Action(EverySteps(1), fail), total=10)
    assert interruption.request(timeout_s=0)


def test_every_steps_is_due_at_multiples_and_at_the_end() -> None:
    when = EverySteps(30)
    assert [step for step in range(1, 101) if when(moment(step))] == [30, 60, 90, 100]
    assert [when.next_after(step) for step in (0, 29, 30, 31)] == [30, 30, 60, 60]


def test_every_zero_steps_is_due_only_at_the_end() -> None:
    when = EverySteps(0)
    assert [step for step in range(1, 101) if when(moment(step))] == [100]
    assert when.next_after(50) is None


def test_at_steps_is_due_at_these_alone() -> None:
    when = AtSteps(70, 3)
    assert [step for step in range(1, 101) if when(moment(step))] == [3, 70]
    assert [when.next_after(step) for step in (0, 3, 69, 70)] == [3, 70, 70, None]


def test_at_most_every_waits_between_two_times_but_never_misses_the_end() -> None:
    times = iter([0.0, 0.2, 0.5, 0.9, 1.0, 1.1])
    when = AtMostEvery(0.5, clock=lambda: next(times))
    due = [when(moment(step)) for step in (10, 20, 30, 40, 50, 100)]
    assert due == [True, False, True, False, True, True]
    assert when.next_after(10) is None

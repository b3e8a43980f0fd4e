from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from components import progress
from components.training.stopwatch import Stopwatch


class Time:
    """Passes only when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_first_call_the_input_and_the_steps_are_told_apart() -> None:
    time = Time()
    watch = Stopwatch(clock=time)

    def make_calls(sizes: Iterator[int]) -> Iterator[Any]:
        for size in sizes:
            time.now += 2
            yield SimpleNamespace(index=range(size))

    def run_steps(call: Any) -> Any:
        time.now += 10 if len(call.index) == 1 else 3
        return call

    calls, run = watch.times_input(make_calls), watch.times_steps(run_steps)
    for call in calls(iter([1, 5, 5])):
        assert run(call) is call
        time.now += 1
    assert watch.first_s == 10
    assert watch.steps_s == 6
    assert watch.num_steps == 10
    # The first batch was waited for before the first call: nobody could have made it earlier.
    assert watch.input_s == 4
    # What is done between two calls.
    assert watch.other_s == 3


def test_a_captured_report_is_heard_by_its_captor_alone_who_may_report() -> None:
    heard: list[tuple[str, Any]] = []

    def rename(node: str, values: dict[str, progress.Value]) -> None:
        progress.report("Tuner", **values)

    with progress.listen(lambda node, values: heard.append((node, values["step"]))):
        with progress.capture(rename):
            progress.report("Trainer", step=1)
            progress.report("Trainer", step=2)
        progress.report("Trainer", step=3)
    assert heard == [("Tuner", 1), ("Tuner", 2), ("Trainer", 3)]

"""What the command shows."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from components import progress
from components.progress import Value
from components.training.by_hand.profile import Profile, describe
from components.training.train import Trained

_SECONDS_BETWEEN_LINES = 5.0


@contextlib.contextmanager
def shows_progress(console: Console) -> Iterator[None]:
    """Inside, a bar in a terminal; elsewhere a line every five seconds, and the notes."""
    with contextlib.ExitStack() as stack:
        listener: progress.Listener
        if console.is_terminal:
            bar = Progress(
                TextColumn("step {task.completed} of {task.total}"),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[text]}"),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )
            listener = _Bar(stack.enter_context(bar))
        else:
            listener = _Lines(console)
        stack.enter_context(progress.listen(listener))
        yield


class _Bar:
    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None, text="")

    def __call__(self, node: str, values: dict[str, Value]) -> None:
        if "note" in values:
            self._bar.console.print(values["note"], markup=False, highlight=False)
        if "step" in values:
            self._bar.update(
                self._task,
                completed=float(values["step"]),
                total=float(values["total"]),
                text=_text(values),
            )


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = 0.0

    def __call__(self, node: str, values: dict[str, Value]) -> None:
        line = ""
        if "note" in values:
            line = str(values["note"])
        elif "resumed_at" in values:
            line = f"resumed at step {values['resumed_at']}"
        elif "step" in values and time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            line = f"step {values['step']} of {values['total']}, {_text(values)}"
        if line:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _text(values: dict[str, Value]) -> str:
    return (
        f"loss {values['loss']:.4f}, learning rate {values['learning_rate']:.2g}, "
        f"{values['examples_per_s']:,.0f} examples/s"
    )


def show_metrics(console: Console, trained: Trained) -> None:
    """A table of the evaluations' metrics; the columns are the last ones, at most four."""
    evaluations = trained.history.evaluations[-4:]
    table = Table(box=None, header_style="bold")
    table.add_column("on the eval split")
    for evaluation in evaluations:
        table.add_column(f"step {evaluation.step}", justify="right")
    for name in evaluations[-1].metrics if evaluations else ():
        cells = [evaluation.metrics.get(name) for evaluation in evaluations]
        table.add_row(name, *("" if cell is None else f"{cell:.5g}" for cell in cells))
    console.print(table)
    if trained.decisions.ended_by:
        console.print(f"ended by: {trained.decisions.ended_by}", markup=False, highlight=False)


def show_profile(console: Console, found: Profile) -> None:
    """Where the time goes: the host's side, then the operations."""
    for name, text in describe(found).items():
        console.print(f"{name:<30} {text}", markup=False, highlight=False)
    lines = [f"the longest operations of {found.recorded_steps} steps:"]
    lines.append(f"{'ms':>9} {'share':>6} {'calls':>7}  kind, operation")
    for item in found.operations:
        share = item.total_us / found.all_us if found.all_us else 0.0
        lines.append(
            f"{item.total_us / 1e3:9.2f} {share:6.0%} {item.calls:7,}  {item.kind}, {item.name}"
        )
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
    console.print(f"trace: {found.trace}", markup=False, highlight=False, soft_wrap=True)
    console.print(
        "open it: pip install tensorboard tensorboard-plugin-profile, then "
        f"tensorboard --logdir {found.trace.parents[3]}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )

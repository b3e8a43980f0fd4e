"""The live display of a run: a table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from components.progress import Value
from pipeline.plan import Plan

_MARKS = {
    "waiting": "[dim]·[/]",
    "running": "[cyan]▶[/]",
    "done": "[green]✔[/]",
    "cached": "[blue]=[/]",
    "failed": "[red]✘[/]",
    "stopped": "[yellow]■[/]",
    "skip": "[dim]-[/]",
}
_SECONDS_BETWEEN_LINES = 5.0
_BAR_WIDTH = 20


class Display:
    """Shows each node's state, its time, and what it reports while it runs.

    In a terminal a table is redrawn in place. Elsewhere a line is printed when a node starts or
    ends, for each of its notes, and at most every five seconds for the rest of what it reports.
    """

    def __init__(self, plan: Plan, console: Console, *, is_quiet: bool = False) -> None:
        """Prepares the display.

        Args:
            plan: the nodes to show.
            console: where to draw; its `is_terminal` decides how.
            is_quiet: shows nothing while the run goes on.
        """
        self._console = console
        self._lock = threading.Lock()
        self._states = {
            step.node.id: "skip" if step.action == "skip" else "waiting" for step in plan.steps
        }
        self._seconds: dict[str, float] = {}
        self._started: dict[str, float] = {}
        self._reports: dict[str, dict[str, Value]] = {}
        self._notes: dict[str, list[str]] = {}
        self._last_line: dict[str, float] = {}
        self._is_quiet = is_quiet
        self._live: Live | None = None
        if console.is_terminal and not is_quiet:
            # What the libraries write goes where the process's streams go, not above the table.
            self._live = Live(
                console=console,
                get_renderable=self._table,
                refresh_per_second=4,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )

    def __enter__(self) -> Display:
        """Starts drawing."""
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stops drawing; the summary takes the table's place, unless the run ended in an error."""
        if self._live is not None:
            self._live.transient = error is None
            self._live.stop()

    def on_node(self, node: str, state: str, seconds: float) -> None:
        """Takes note that `node` is now in `state`, `seconds` after its start."""
        with self._lock:
            self._states[node] = state
            if state == "running":
                self._started[node] = time.monotonic()
            else:
                self._seconds[node] = seconds
        if self._live is None and not self._is_quiet:
            took = "" if state == "running" else f" in {seconds:.1f} s"
            self._line(f"{node}: {state}{took}")

    def on_report(self, node: str, values: dict[str, Value]) -> None:
        """Takes note of what a running node reports.

        Args:
            node: its id.
            values: see `format_report`; a `note` is a line of text that stays.
        """
        rest = {name: value for name, value in values.items() if name != "note"}
        if "note" in values:
            self._note(node, str(values["note"]))
        if not rest:
            return
        with self._lock:
            self._reports.setdefault(node, {}).update(rest)
            now = time.monotonic()
            is_due = now - self._last_line.get(node, 0.0) >= _SECONDS_BETWEEN_LINES
            if is_due:
                self._last_line[node] = now
        if self._live is None and not self._is_quiet and is_due:
            self._line(f"{node}: {self._report(node)}")

    @property
    def seconds(self) -> dict[str, float]:
        """The time that each ended node took."""
        return dict(self._seconds)

    def _note(self, node: str, note: str) -> None:
        with self._lock:
            notes = self._notes.setdefault(node, [])
            is_new = note not in notes
            if is_new:
                notes.append(note)
        if is_new and self._live is None and not self._is_quiet:
            self._line(f"{node}: {note}")

    def _line(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _report(self, node: str) -> str:
        return format_report(self._reports.get(node, {}))

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        with self._lock:
            for node, state in self._states.items():
                elapsed = self._seconds.get(node)
                if state == "running":
                    elapsed = time.monotonic() - self._started[node]
                table.add_row(
                    _MARKS[state],
                    node,
                    "" if elapsed is None else f"{elapsed:.1f} s",
                    self._details(node, is_running=state == "running"),
                )
        return table

    def _details(self, node: str, *, is_running: bool) -> Group:
        """What the node reports, the bar of a running one before it, and below it its notes."""
        values = self._reports.get(node, {})
        text = Text(format_report(values))
        step, total = values.get("step"), values.get("total")
        notes = [Text(note, style="dim") for note in self._notes.get(node, ())]
        if not (is_running and isinstance(step, int) and isinstance(total, int)):
            return Group(text, *notes)
        line = Table.grid(padding=(0, 1))
        line.add_row(ProgressBar(total=total, completed=step, width=_BAR_WIDTH), text)
        return Group(line, *notes)


def format_report(values: dict[str, Value]) -> str:
    """A node's report in words, such as `step 200 of 1000, loss 0.31, 0:00:12 left`.

    Args:
        values: `resumed_at`, `step` and `total` are counts of steps, `trial` and `trials` of
            trials, `seconds_left` is the time to the last step; `loss`, `learning_rate`,
            `examples_per_s` and `rows` are themselves. Others are not shown.
    """
    parts: Sequence[str] = [
        f"resumed at step {values['resumed_at']}" if "resumed_at" in values else "",
        f"trial {values['trial']} of {values['trials']}" if "trial" in values else "",
        f"step {values['step']} of {values['total']}" if {"step", "total"} <= values.keys() else "",
        f"loss {values['loss']:.4f}" if "loss" in values else "",
        f"learning rate {values['learning_rate']:.2g}" if "learning_rate" in values else "",
        f"{values['examples_per_s']:,.0f} examples/s" if "examples_per_s" in values else "",
        f"{_duration(values['seconds_left'])} left" if values.get("seconds_left") else "",
        f"{values['rows']:,} rows" if "rows" in values else "",
    ]
    return ", ".join(part for part in parts if part)


def _duration(seconds: Value) -> str:
    """Hours, minutes and seconds, as `0:01:30`."""
    return str(datetime.timedelta(seconds=round(float(seconds))))

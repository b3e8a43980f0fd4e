"""The live display of a run: a table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from components.progress import Value
from pipeline.plan import Plan

_MARKS = {
    "waiting": "[dim]·[/]",
    "running": "[cyan]▶[/]",
    "done": "[green]✔[/]",
    "cached": "[blue]=[/]",
    "failed": "[red]✘[/]",
    "skip": "[dim]-[/]",
}
_SECONDS_BETWEEN_LINES = 5.0


class Display:
    """Shows each node's state, its time, and what it reports while it runs.

    In a terminal a table is redrawn in place. Elsewhere a line is printed when a node starts or
    ends, and at most every five seconds for what it reports.
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
        """Takes note of what a running node reports."""
        with self._lock:
            self._reports.setdefault(node, {}).update(values)
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
                    self._report(node),
                )
        return table


def format_report(values: dict[str, Value]) -> str:
    """A node's report in words, such as `step 200 of 1000, loss 0.31`."""
    parts: Sequence[str] = [
        f"resumed at step {values['resumed_at']}" if "resumed_at" in values else "",
        f"step {values['step']} of {values['total']}" if {"step", "total"} <= values.keys() else "",
        f"loss {values['loss']:.4f}" if "loss" in values else "",
        f"{values['examples_per_s']:,.0f} examples/s" if "examples_per_s" in values else "",
        f"{values['rows']:,} rows" if "rows" in values else "",
    ]
    return ", ".join(part for part in parts if part)

"""Runs the pipeline on this machine: from a table to a validated, pushed, versioned model.

exit codes:
  0    the model was pushed, or there was nothing to do
  1    a node failed; the log says why
  2    a flag, the configuration or a path is wrong
  3    the data broke its contract; nothing was trained
  4    the model is not good enough; nothing was pushed
  5    the model cannot be served; nothing was pushed
  6    another run is using this root
  130  interrupted; the same command continues
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import datetime
import os
import secrets
import signal
import sys
import time
import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import filelock
from rich.console import Console

from components import interruption
from components import progress as node_progress
from components.errors import DataRejected, Interrupted, NodeFailed, RootBusy, WaybillError
from pipeline import command, metadata, recovery
from pipeline import config as configuration
from pipeline.beam import ready
from pipeline.layout import Layout, write_atomically
from pipeline.lineage.connection import Address
from pipeline.lineage.models import History
from pipeline.lineage.store import LineageStore, open_store
from pipeline.logs import capture
from pipeline.nodes import Node, nodes, served_folder
from pipeline.outcome import Outcome, failed_outcome, read_outcome
from pipeline.plan import Plan, make_plan
from pipeline.progress import Display
from pipeline.recording import names
from pipeline.recording.facts import run_facts
from pipeline.recording.recorder import record_outcome
from pipeline.resolve import Resolved, resolve
from pipeline.summary import print_plan, print_summary, shown, write_report

DEFAULT_ROOT = "output"


def make_parser() -> argparse.ArgumentParser:
    """The command line of `python -m pipeline.run_local`."""
    parser = command.make_parser("pipeline.run_local", __doc__)
    configuration.add_arguments(parser)
    parser.add_argument(
        "--root", default=DEFAULT_ROOT, metavar="DIR", help="where everything is written (output)"
    )
    parser.add_argument("--fresh", action="store_true", help="use no earlier result")
    parser.add_argument(
        "--from", dest="from_node", metavar="NODE", help="run NODE and what follows"
    )
    parser.add_argument("--to", dest="to_node", metavar="NODE", help="end after NODE")
    ending = parser.add_mutually_exclusive_group()
    ending.add_argument("--dry-run", action="store_true", help="print the plan and run nothing")
    ending.add_argument(
        "--open",
        dest="opens",
        action="store_true",
        help="open the report in the browser at the end, also when the data was refused",
    )
    volume = parser.add_mutually_exclusive_group()
    volume.add_argument("-v", "--verbose", action="store_true", help="show what the libraries log")
    volume.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    return parser


@dataclass
class Run:
    """One call of the command: what was asked, and what is known so far."""

    args: argparse.Namespace
    console: Console
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Reads the configuration and the data."""
        self.resolved: Resolved = resolve(configuration.from_arguments(self.args))
        self.layout = Layout(Path(self.args.root).resolve())
        self.metadata: Address = metadata.address_of(self.resolved.config, self.layout)
        self.nodes: tuple[Node, ...] = nodes(
            self.resolved, served_folder(self.resolved.config, self.layout.root)
        )
        now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
        self.run_id = f"{self.resolved.config.name}-{now}-{secrets.token_hex(2)}"

    def plan(self, *, as_asked: bool = True) -> Plan:
        """Compares the nodes with the history.

        Args:
            as_asked: whether --fresh, --from and --to count.
        """
        return make_plan(
            self.nodes,
            self._history(),
            content_hash=self.resolved.source.content_hash,
            exists=lambda uri: Path(uri).exists(),
            fresh=self.args.fresh and as_asked,
            from_node=self.args.from_node if as_asked else None,
            to_node=self.args.to_node if as_asked else None,
        )

    def report(
        self, plan: Plan, after: Plan, outcome: Outcome, seconds: Mapping[str, float]
    ) -> None:
        """Writes the report's files: the numbers, and the pages made of them.

        Args:
            plan: what was run.
            after: made after the run, so that every finished node is cached in it.
            outcome: what came of it.
            seconds: the time each node took; nodes that did not start are absent.
        """
        # Only a run that has something to show needs what draws it.
        from pipeline.report.pages import write_pages

        write_report(self.layout.report, self.run_id, plan, outcome, seconds)
        if plan.has_work:
            self._write_run_page()
        write_pages(self.layout, after, outcome, self.resolved, self._history())

    def _write_run_page(self) -> None:
        """Draws this run from ML Metadata; a run that ended before its first node is not there."""
        from pipeline.lineage.errors import NotFound
        from pipeline.lineage.session import Session
        from pipeline.web.run_report import run_report

        session = Session(address=self.metadata)
        try:
            page = run_report(session, session.names.find(f"run:{self.run_id}"))
        except NotFound:
            self.layout.run_page.unlink(missing_ok=True)
            return
        write_atomically(self.layout.run_page, page)

    def facts(self) -> dict[str, str | int]:
        """What is recorded of the run at its start."""
        config = self.resolved.config
        asked = config.model_dump(mode="json")
        return {
            **run_facts(asked, seed=config.training.seed, folder=self._folder()),
            names.ROOT: str(self.layout.root),
            names.RUNNER: recovery.LOCAL,
        }

    def record(self, outcome: Outcome, *, exit_code: int) -> None:
        """Records how the run ended; nothing where it had nothing to do."""
        record_outcome(
            lambda: open_store(self.metadata, writable=True),
            self.run_id,
            exit_code=exit_code,
            kind=outcome.decision,
            reason=outcome.reason,
            version=Path(outcome.pushed_to).name or None,
        )

    def _folder(self) -> Path:
        """Where the user works: the folder of the configuration, if it is the user's."""
        config = Path(self.args.config or "")
        return config.absolute().parent if config.suffix and config.is_file() else Path.cwd()

    def _history(self) -> History:
        if open_store(self.metadata) is None:
            return lambda node: ()
        store = LineageStore(self.metadata)
        return lambda node: store.executions(self.resolved.config.name, node)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    args = make_parser().parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _main(args)
    except WaybillError as error:
        return command.tell(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return Interrupted.exit_code


def _main(args: argparse.Namespace) -> int:
    console = Console(quiet=args.quiet)
    run = Run(args, console)
    for note in run.resolved.notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    if args.dry_run:
        print_plan(console, run.plan())
        return 0
    with _lock(run.layout):
        metadata.prepare(str(run.metadata))
        killed = recovery.close_unfinished(run.metadata, run.layout, "the process was killed")
        if killed:
            console.print(f"An earlier run was killed in {', '.join(killed)}: continuing.")
        plan = run.plan()
        if plan.has_work:
            ready.check(run.resolved.config.beam, root=run.layout.root)
        seconds = _execute(run, plan) if plan.has_work else {}
        after = run.plan(as_asked=False)
        outcome = read_outcome(after)
        run.record(outcome, exit_code=outcome.exit_code)
        run.report(plan, after, outcome, seconds)
    if not plan.has_work:
        console.print("Nothing changed since the last run: nothing to do.")
    print_summary(console, plan, outcome, seconds, time.monotonic() - run.started)
    report = shown(run.layout.index_page)
    console.print(f"report    {report}", markup=False, highlight=False, soft_wrap=True)
    if plan.has_work and not args.verbose:
        log = shown(run.layout.log(run.run_id))
        console.print(f"log       {log}", markup=False, highlight=False, soft_wrap=True)
    if args.opens:
        _open(run)
    return outcome.exit_code


def _open(run: Run) -> None:
    """Shows the report in the browser, or says where it is."""
    page = run.layout.index_page
    if not webbrowser.open(page.as_uri()):
        print(f"no browser was found; open {shown(page)} yourself", file=sys.stderr)


def _execute(run: Run, plan: Plan) -> dict[str, float]:
    """Runs the plan; returns the seconds that each node took."""
    interruption.clear()
    log = run.layout.log(run.run_id)
    with capture(log, is_verbose=run.args.verbose) as console:
        display = Display(plan, console, is_quiet=run.args.quiet)
        try:
            with display, node_progress.listen(display.on_report):
                # TensorFlow and TFX take seconds to import: only now is it sure they are needed.
                from pipeline.graph import create_pipeline
                from pipeline.runners import local

                pipeline = create_pipeline(run.resolved, run.layout)
                ir = local.compile_pipeline(pipeline, plan, run.run_id)
                wanted = {step.node.id for step in plan.steps if step.action != "skip"}
                written = None if run.args.verbose else log
                local.run(ir, wanted, display.on_node, facts=run.facts(), log=written)
        except KeyboardInterrupt:
            _abandon(run, console)
        except WaybillError as error:
            outcome = failed_outcome(error)
            run.record(outcome, exit_code=error.exit_code)
            run.report(plan, run.plan(as_asked=False), outcome, display.seconds)
            if run.args.opens:
                _open(run)
            if isinstance(error, NodeFailed) and not run.args.verbose:
                raise NodeFailed(f"{error}\nThe log is {shown(log)}.") from error
            if outcome.findings:
                page, report = shown(run.layout.data_page), shown(run.layout.report)
                raise DataRejected(
                    f"{error}\nThe full list is in {page} and in {report}, findings."
                ) from error
            raise
    return display.seconds


def _abandon(run: Run, console: Console) -> NoReturn:
    """Ends an interrupted run at once: its threads may be deep in C++ and cannot be stopped."""
    try:
        recovery.close_unfinished(run.metadata, run.layout, "interrupted")
        run.record(
            Outcome(decision="interrupted", reason="the process was asked to stop"),
            exit_code=Interrupted.exit_code,
        )
        console.print("Interrupted. The same command continues where this run stopped.")
        console.file.flush()
    finally:
        os._exit(Interrupted.exit_code)


@contextlib.contextmanager
def _lock(layout: Layout) -> Iterator[None]:
    """Holds the root for this run; the system frees it when the process dies.

    Raises:
        RootBusy: another run holds it.
    """
    try:
        layout.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise configuration.ConfigError(
            f"--root {layout.root}: cannot be made: {error.strerror}."
        ) from error
    lock = filelock.FileLock(layout.lock, blocking=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise RootBusy(
            f"Another run is using {layout.root}. Wait for its end, or use another --root."
        ) from None
    try:
        yield
    finally:
        lock.release()


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # TensorFlow and Beam would take over a second to be torn down, object by object; what cleans
    # up after them still runs.
    atexit._run_exitfuncs()
    os._exit(code)

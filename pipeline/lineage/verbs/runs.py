"""`runs`: a page of the runs, newest first."""

from __future__ import annotations

import argparse

from pipeline.lineage import as_json, text
from pipeline.lineage.queries.runs import Filter, Page, RunRow, list_runs
from pipeline.lineage.session import Session
from pipeline.lineage.times import parse_time

_METRICS_SHOWN = 3
# Where all columns have room beside a run's id.
_WIDE = 120
_TITLES = ("run", "started", "state", "decision", "version")
_MORE = ("took", "cached", "metrics")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the verb."""
    parser.add_argument("--pipeline", metavar="NAME", help="only runs of this pipeline")
    parser.add_argument(
        "--state",
        metavar="STATE",
        help="only runs in this state (running, complete, failed, canceled), or with this decision "
        "(pushed, 'not good enough', 'not servable', 'data rejected', …)",
    )
    parser.add_argument("--since", metavar="TIME", help="started at or after: 2026-11-20, 12h, 7d")
    parser.add_argument("--until", metavar="TIME", help="started before")
    parser.add_argument("--limit", type=_count, default=20, metavar="N", help="at most N (20)")
    parser.add_argument("--page", type=_count, default=1, metavar="N", help="the Nth page (1)")


def run(args: argparse.Namespace, session: Session) -> int:
    """Prints the page; 1 when no run matches."""
    wanted = Filter(
        pipeline=args.pipeline,
        state=args.state,
        since_ms=parse_time(args.since, flag="--since") if args.since else None,
        until_ms=parse_time(args.until, flag="--until") if args.until else None,
    )
    page = list_runs(session.store, wanted, limit=args.limit, skip=(args.page - 1) * args.limit)
    if session.as_json:
        runs = [as_json.row(row) for row in page.rows]
        session.print_json({"runs": runs, "page": args.page, "has_more": page.has_more})
    else:
        _print(page, args, session)
    return 0 if page.rows else 1


def _print(page: Page, args: argparse.Namespace, session: Session) -> None:
    if not page.rows:
        text.line(session.console, f"no run in {session.address} matches")
        return
    is_wide = session.console.width >= _WIDE
    titles = [*_TITLES, *(_MORE if is_wide else ())]
    text.print_table(
        session.console,
        titles,
        [_cells(row, is_wide=is_wide) for row in page.rows],
        right=["took", "version", "cached"],
        whole=[*_TITLES, "took", "cached"] if is_wide else ["run", "started", "version"],
    )
    if page.has_more:
        text.line(session.console, f"more: --page {args.page + 1}", "dim")


def _cells(row: RunRow, *, is_wide: bool) -> list[str | text.Text]:
    started = text.moment(row.run.started_ms)
    cells: list[str | text.Text] = [
        text.clean(row.run.id),
        started if is_wide else started[len("2026-") : -len(":00")],
        text.styled(row.run.state),
        text.styled(row.decision),
        text.clean(row.version),
    ]
    if is_wide:
        cached = f"{row.num_cached}/{len(row.run.executions)}"
        cells += [text.duration(row.seconds), cached, metrics_line(row)]
    return cells


def metrics_line(row: RunRow) -> str:
    """The first metrics in one line; the number of examples is none."""
    found = [(name, value) for name, value in row.metrics.items() if name != "example_count"]
    shown = [f"{text.clean(name)} {text.number(value)}" for name, value in found[:_METRICS_SHOWN]]
    return ", ".join(shown)


def _count(given: str) -> int:
    if not (given.isascii() and given.isdecimal()) or int(given) < 1:
        raise argparse.ArgumentTypeError(f"{given!r} is not a whole number above 0")
    return int(given)

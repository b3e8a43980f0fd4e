"""`doctor`: compares the store with the disk and with what is served."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.lineage.doctor import Finding
    from pipeline.lineage.session import Session

EPILOG = """\
what is looked for:
  error     executions that did not end and that nothing works on; files of artifacts that are
            gone or were changed; labels without a version; labelled versions that are damaged,
            or that this store knows nothing of
  warning   files that no artifact is at; versions that this store knows nothing of
  note      executions at work

exit codes:
  0    nothing was found, or notes only
  1    something was found
  2    a flag or the store is wrong
"""
_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the verb."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--quick", action="store_true", help="do not read the files of artifacts")
    parser.add_argument(
        "--stale-hours",
        type=float,
        default=24.0,
        metavar="H",
        help="where no lock can tell: an execution that began longer ago was left (24)",
    )


def run(args: argparse.Namespace, session: Session) -> int:
    """Examines; returns the exit code."""
    from pipeline.lineage import doctor

    settings = doctor.Settings(
        serving=session.serving_folder,
        root=session.root if session.address.kind == "sqlite" else None,
        is_quick=args.quick,
        stale_hours=args.stale_hours,
    )
    findings = list(doctor.examine(session.store, settings))
    counts = {
        severity: sum(finding.severity == severity for finding in findings) for severity in _STYLES
    }
    if session.as_json:
        listed = [dataclasses.asdict(finding) for finding in findings]
        session.print_json({"findings": listed, "counts": counts})
    else:
        _print(session, findings, counts)
    return 1 if counts["error"] or counts["warning"] else 0


def _print(session: Session, findings: list[Finding], counts: dict[str, int]) -> None:
    from rich.text import Text

    from pipeline.lineage.text import clean

    for finding in findings:
        style = _STYLES[finding.severity]
        line = Text.assemble(
            (f"{finding.severity:8}", style), (clean(finding.subject), "bold"), "  ", finding.kind
        )
        session.console.print(line, soft_wrap=True)
        session.console.print(Text(f"        {clean(finding.message)}"), soft_wrap=True)
    told = [f"{number} {severity}{'s' * (number != 1)}" for severity, number in counts.items()]
    session.console.print(Text(", ".join(told) if findings else "Nothing was found."))

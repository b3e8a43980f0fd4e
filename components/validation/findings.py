"""What was found in the data, what stops the run, and the words a user reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from components.validation.fixes import Fixes
from components.validation.settings import ValidationSettings

_MAX_SHOWN = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """One broken rule.

    Attributes:
        rule: a name in `components.validation.rules`.
        feature: the column; empty for the data as a whole.
        split: `train`, `eval`, or empty where the data has no splits.
        observed: what was seen, as a sentence without its end.
        count: how many rows or values break it; None where it is not counted.
        total: of how many.
        examples: up to three of them, each with its place where that is known.
        fix: what to edit.
        anomaly: TensorFlow Metadata's name of it; empty for a rule of our own.
    """

    rule: str
    feature: str
    observed: str
    split: str = ""
    count: int | None = None
    total: int | None = None
    examples: tuple[str, ...] = ()
    fix: str = ""
    anomaly: str = ""

    @property
    def share(self) -> float | None:
        """The share that breaks the rule, 0 to 1; None where it is not counted."""
        return self.count / self.total if self.count is not None and self.total else None

    @property
    def where(self) -> str:
        """The column and the split, for a reader."""
        name = repr(self.feature) if self.feature else "the data"
        return f"{name} ({self.split} split)" if self.split else name

    def __str__(self) -> str:
        shown = f": {', '.join(self.examples)}" if self.examples else ""
        return f"{self.where}: {self.observed}{shown} [{self.rule}]"

    def as_json(self, severity: str) -> dict[str, Any]:
        """A JSON object of all that is known."""
        return {"severity": severity, **dataclasses.asdict(self), "share": self.share}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    """What stops the run, and what it only warns of."""

    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]

    def as_json(self) -> list[dict[str, Any]]:
        """All findings, errors first."""
        return [finding.as_json("error") for finding in self.errors] + [
            finding.as_json("warn") for finding in self.warnings
        ]

    def message(self, fixes: Fixes) -> str:
        """The refusal a user reads: every error up to a bound, each with what to edit.

        Args:
            fixes: the files' names, and what to type next.
        """
        groups = grouped(self.errors)
        lines = [f"{fixes.data} breaks its contract in {_places(len(groups))}:"]
        for group in groups[:_MAX_SHOWN]:
            lines += [f"  - {finding}" for finding in group]
            lines.append(f"    {group[0].fix}")
        if len(groups) > _MAX_SHOWN:
            lines.append(f"  - and {len(groups) - _MAX_SHOWN} more")
        broken = [(group[0].feature, group[0].rule) for group in groups]
        column, rule = broken[0]
        place = f"features.{column}" if column else "rules"
        lines.append("Nothing was trained. What may help:")
        lines += [f"  {line}" for line in fixes.commands(broken)]
        lines.append(f"  only warn: set validation.{place}.{rule}: warn in the configuration")
        return "\n".join(lines)


def grouped(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Findings of one rule and column together, whatever their split; in order."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.feature, finding.rule), []).append(finding)
    return list(groups.values())


def judge(findings: Sequence[Finding], settings: ValidationSettings) -> Verdict:
    """Sorts findings into errors and warnings, as the configuration says.

    Args:
        findings: all that was found.
        settings: what to do about each rule, for each column.
    """
    sorted_out: dict[str, list[Finding]] = {"error": [], "warn": [], "ignore": []}
    for finding in findings:
        applied = settings.applied(finding.rule, finding.feature)
        sorted_out[applied.act(finding.share)].append(finding)
    return Verdict(errors=tuple(sorted_out["error"]), warnings=tuple(sorted_out["warn"]))


def share(count: int, total: int) -> str:
    """`3 of 1,000 (0.3 %)`."""
    percent = 100 * count / total if total else 0.0
    shown = f"{percent:.0f}" if percent >= 10 or percent == 0 else f"{percent:.2g}"
    return f"{count:,} of {total:,} ({shown} %)"


def _places(number: int) -> str:
    return f"{number} place{'' if number == 1 else 's'}"

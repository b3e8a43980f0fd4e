"""Judges what the model served: a list of objections, empty if a server can use the model."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

from components.features import DataSpec, Problem

Row = Sequence[float]
Output = Sequence[Sequence[float | str]]

# The output of `serving_default` that repeats the model's own scores.
PRIMARY_OUTPUT: Mapping[Problem, str] = {
    "binary": "probability",
    "multiclass": "scores",
    "regression": "prediction",
}
_SHOWN = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answers:
    """What the model answered in the process of its own.

    `outputs` holds the answers to the real rows and `odd_outputs` those to each odd row, by the
    output's name, one list a row. `latencies_ms` are of calls with one row.
    """

    outputs: Mapping[str, Output]
    odd_outputs: Mapping[str, Mapping[str, Output]]
    latencies_ms: Sequence[float]
    load_s: float


def objections(
    answers: Answers,
    expected: Sequence[Row],
    *,
    data_spec: DataSpec,
    tolerance: float,
    latency_budget_ms: float | None = None,
) -> list[str]:
    """Everything that speaks against serving the model.

    Args:
        answers: what the model served.
        expected: what the pipeline computed for the same rows.
        data_spec: names the problem and the classes.
        tolerance: how far an answer may be from the expected one.
        latency_budget_ms: what 99 of 100 single-row calls must stay below, if anything.

    Returns:
        One sentence each.
    """
    label = data_spec.label
    primary = PRIMARY_OUTPUT[label.problem]
    if primary not in answers.outputs:
        known = ", ".join(sorted(answers.outputs)) or "nothing"
        return [f"'serving_default' answers {known}; expected an output '{primary}'."]
    found = not_finite(answers.outputs, "row {} of the eval split")
    for name, outputs in answers.odd_outputs.items():
        found += not_finite(outputs, name)
    found += compare(expected, _numbers(answers.outputs[primary]), tolerance, output=primary)
    if label.classes:
        found += _wrong_classes(answers.outputs, label.classes)
    p99 = percentile(answers.latencies_ms, 99)
    if latency_budget_ms is not None and p99 > latency_budget_ms:
        found.append(
            f"The 99th percentile of single-row calls is {p99:.2f} ms; the budget, "
            f"latency_budget_ms, is {latency_budget_ms:g} ms."
        )
    return found


def compare(
    expected: Sequence[Row], served: Sequence[Row], tolerance: float, *, output: str = "scores"
) -> list[str]:
    """The rows whose served answer is not the expected one.

    Args:
        expected: one list of numbers a row.
        served: the same, as served.
        tolerance: the largest difference allowed, absolute below 1 and relative above.
        output: how to call the served numbers.

    Returns:
        One sentence for each of the worst rows, and one that counts the rest.
    """
    if len(served) != len(expected):
        return [f"Output '{output}' has {len(served)} rows for {len(expected)} rows sent."]
    wrong: list[tuple[float, str]] = []
    for row, (want, got) in enumerate(zip(expected, served, strict=True)):
        if len(want) != len(got):
            return [f"Output '{output}' has {len(got)} numbers a row, expected {len(want)}."]
        errors = [_error(a, b) for a, b in zip(want, got, strict=True)]
        worst = max(range(len(errors)), key=errors.__getitem__)
        if errors[worst] > tolerance:
            place = f"{output}[{worst}]" if len(got) > 1 else output
            wrong.append(
                (
                    errors[worst],
                    f"Row {row} of the eval split: the server answers {place} = {got[worst]:.6g}, "
                    f"the pipeline computes {want[worst]:.6g}; allowed is a difference of "
                    f"{tolerance:g}.",
                )
            )
    wrong.sort(key=lambda item: -item[0])
    return _shortened([sentence for _, sentence in wrong], "differ as well")


def not_finite(outputs: Mapping[str, Output], where: str) -> list[str]:
    """The answers that are NaN or infinite; `where` may hold `{}` for the row's number."""
    found = [
        f"For {where.format(row)}, the server answers {name} = {value}, which is no number."
        for name, rows in sorted(outputs.items())
        for row, values in enumerate(rows)
        for value in values
        if isinstance(value, float) and not math.isfinite(value)
    ]
    return _shortened(found, "answers are not finite either")


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest of `values` that `percent` of them do not exceed; 0 if there are none."""
    if not values:
        return 0.0
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def _error(want: float, got: float) -> float:
    """The difference; what is not finite is reported elsewhere, and differs from all numbers."""
    if not (math.isfinite(want) and math.isfinite(got)):
        return 0.0 if want == got else math.inf
    return abs(want - got) / max(1.0, abs(want))


def _wrong_classes(outputs: Mapping[str, Output], classes: Sequence[str]) -> list[str]:
    found = []
    for row, names in enumerate(outputs.get("classes", ())):
        for index, (want, got) in enumerate(itertools.zip_longest(classes, names)):
            if want != got:
                found.append(
                    f"Row {row} of the eval split: the server calls class {index} {got!r}, the "
                    f"label's class {index} is {want!r}."
                )
                break
    for row, (name,) in enumerate(outputs.get("label", ())):
        if name not in classes:
            found.append(
                f"Row {row} of the eval split: the server predicts {name!r}, which is none of the "
                f"label's {len(classes)} classes."
            )
    return _shortened(found, "have a wrong class as well")


def _numbers(rows: Output) -> list[list[float]]:
    return [[float(value) for value in row] for row in rows]


def _shortened(sentences: Sequence[str], rest: str) -> list[str]:
    """The first sentences, and how many were left out: as many rows may be wrong as were sent."""
    left_out = len(sentences) - _SHOWN
    return [*sentences[:_SHOWN], *([f"{left_out} more {rest}."] if left_out > 0 else [])]

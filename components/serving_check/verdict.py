"""Judges what the model served: a list of objections, empty if a server can use the model."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

from components.features import DataSpec, Problem
from components.serving_check.settings import ServingCheckSettings

Row = Sequence[float]
Output = Sequence[Sequence[float | str]]

# The output of `serving_default` that repeats the model's own scores.
PRIMARY_OUTPUT: Mapping[Problem, str] = {
    "binary": "probability",
    "multiclass": "scores",
    "regression": "prediction",
}
_TEXT_OUTPUTS = frozenset({"classes", "label"})
_SHOWN = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answers:
    """What the model answered in the process of its own.

    `outputs` holds the answers to the real rows and `odd_outputs` those to each odd row, by the
    output's name, one list a row; `raw_outputs` and `raw_odd_outputs` are the answers of
    `serving_raw` to the same rows. `latencies_ms` are of calls with one row, `peak_bytes` is the
    largest memory of that process.
    """

    outputs: Mapping[str, Output]
    odd_outputs: Mapping[str, Mapping[str, Output]]
    raw_outputs: Mapping[str, Output]
    raw_odd_outputs: Mapping[str, Mapping[str, Output]]
    latencies_ms: Sequence[float]
    load_s: float
    peak_bytes: int


def objections(
    answers: Answers,
    expected: Sequence[Row],
    *,
    data_spec: DataSpec,
    settings: ServingCheckSettings,
) -> list[str]:
    """Everything that speaks against serving the model.

    Args:
        answers: what the model served.
        expected: what the pipeline computed for the same rows.
        data_spec: names the problem and the classes.
        settings: how far an answer may be from the expected one, and the budgets.

    Returns:
        One sentence each.
    """
    label, tolerance = data_spec.label, settings.tolerance
    primary = PRIMARY_OUTPUT[label.problem]
    if primary not in answers.outputs:
        known = ", ".join(sorted(answers.outputs)) or "nothing"
        return [f"'serving_default' answers {known}; expected an output '{primary}'."]
    found = not_finite(answers.outputs, "row {} of the eval split")
    for name, outputs in answers.odd_outputs.items():
        found += not_finite(outputs, name)
    found += compare(expected, _numbers(answers.outputs[primary]), tolerance, output=primary)
    found += compare_raw(
        answers.outputs, answers.raw_outputs, "row {} of the eval split", tolerance
    )
    for name, outputs in answers.odd_outputs.items():
        found += compare_raw(outputs, answers.raw_odd_outputs[name], name, tolerance)
    if label.classes:
        found += _wrong_classes(answers.outputs, label.classes)
    return found + over_budget(answers, settings)


def over_budget(answers: Answers, settings: ServingCheckSettings) -> list[str]:
    """One sentence for each budget that the model does not keep."""
    found = []
    for what, percent, name in (
        ("median", 50, "latency_p50_budget_ms"),
        ("99th percentile", 99, "latency_budget_ms"),
    ):
        budget_ms, took_ms = getattr(settings, name), percentile(answers.latencies_ms, percent)
        if budget_ms is not None and took_ms > budget_ms:
            found.append(
                f"The {what} of single-row calls is {took_ms:.2f} ms; the budget, {name}, is "
                f"{budget_ms:g} ms."
            )
    peak_mb, budget_mb = answers.peak_bytes / 2**20, settings.memory_budget_mb
    if budget_mb is not None and peak_mb > budget_mb:
        found.append(
            f"The process that served the model took {peak_mb:.0f} MB of memory; the budget, "
            f"memory_budget_mb, is {budget_mb:g} MB."
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


def compare_raw(
    default: Mapping[str, Output], raw: Mapping[str, Output], where: str, tolerance: float
) -> list[str]:
    """The answers of `serving_raw` that are not those of `serving_default`.

    Args:
        default: what `serving_default` answers, one list a row by the output's name.
        raw: the same of `serving_raw`, for the same rows.
        where: what to call a row; may hold `{}` for its number.
        tolerance: the largest difference allowed, absolute below 1 and relative above.

    Returns:
        One sentence for each of the first rows that differ, and one that counts the rest.
    """
    if default.keys() != raw.keys():
        return [
            f"'serving_raw' answers {', '.join(sorted(raw)) or 'nothing'}, "
            f"'serving_default' {', '.join(sorted(default))}; expected the same."
        ]
    found: dict[int, str] = {}
    # Names of classes last: they follow from the numbers.
    for name in sorted(default, key=lambda name: (name in _TEXT_OUTPUTS, name)):
        for row, (want, got) in enumerate(zip(default[name], raw[name], strict=True)):
            if row not in found and _differ(want, got, tolerance):
                found[row] = (
                    f"For {where.format(row)}, 'serving_raw' answers {name} = {_shown(got)}, "
                    f"'serving_default' {_shown(want)}; they must not differ by more than "
                    f"{tolerance:g}."
                )
    return _shortened(list(found.values()), "answers of 'serving_raw' differ as well")


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


def _differ(want: Sequence[float | str], got: Sequence[float | str], tolerance: float) -> bool:
    if len(want) != len(got):
        return True
    for a, b in zip(want, got, strict=True):
        if isinstance(a, str) or isinstance(b, str):
            if a != b:
                return True
        # An answer that is not finite is reported as such.
        elif _error(a, b) > tolerance and not (math.isnan(a) and math.isnan(b)):
            return True
    return False


def _shown(values: Sequence[float | str]) -> str:
    """The first few of a row's answers."""
    shown = [value if isinstance(value, str) else f"{value:.6g}" for value in values[:_SHOWN]]
    return ", ".join([*shown, *(["..."] if len(values) > _SHOWN else [])])


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

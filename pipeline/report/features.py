"""What the page says of each column: its numbers, its chart, and what the gate found there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.features import DataSpec
from pipeline.report.charts import Chart, histogram, steps
from pipeline.report.columns import Column, Split
from pipeline.report.distribution import Binned, Ranked, bin_numbers, percent, rank_values, short

# The split that is learned from: the other ones are compared with it.
TRAIN, EVAL, ACCEPTED = "train", "eval", "accepted"

_MAX_CHARACTERS = 120


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a table: its name, and a cell for each split."""

    name: str
    cells: tuple[str, ...]
    shares: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One column on the page.

    Attributes:
        anchor: the id of its section.
        name: the column.
        role: what it is used for.
        type: of its values; empty where there are none.
        severity: `error`, `warn`, or empty: the worst of its findings.
        findings: the gate's, as JSON objects.
        columns: split to its statistics; only of those splits that have it.
        numbers: a table of statistics, a cell a split.
        values: a table of values or bins with their shares, a cell a split.
        is_binned: whether `values` holds bins that `chart` draws.
        chart: its distribution; None where values are not told apart or there are none.
        distances: split to its total variation distance from `train`, 0 to 1.
        measured: distances that the gate measured, as JSON objects.
    """

    anchor: str
    name: str
    role: str
    type: str
    severity: str
    findings: tuple[Mapping[str, Any], ...]
    columns: Mapping[str, Column]
    numbers: tuple[Line, ...]
    values: tuple[Line, ...]
    is_binned: bool
    chart: Chart | None
    distances: Mapping[str, float]
    measured: tuple[Mapping[str, Any], ...]

    @property
    def shown(self) -> Column | None:
        """The statistics that stand for the column in the overview."""
        return self.columns.get(TRAIN) or next(iter(self.columns.values()), None)


def features_of(
    splits: Mapping[str, Split],
    spec: DataSpec,
    findings: Sequence[Mapping[str, Any]],
    measured: Sequence[Mapping[str, Any]],
) -> tuple[Feature, ...]:
    """All columns that the data has, the model needs or the gate speaks of; label and inputs first.

    Args:
        splits: name to statistics, in the order in which they are shown; `train` first.
        spec: the inputs and the label.
        findings: the gate's, as JSON objects.
        measured: the distances that the gate measured, as JSON objects.
    """
    roles = _roles(spec)
    names = dict.fromkeys(roles)
    names |= dict.fromkeys(name for split in splits.values() for name in split.columns)
    names |= dict.fromkeys(str(item["feature"]) for item in findings if item["feature"])
    return tuple(
        _feature(
            f"column-{number}",
            name,
            roles.get(name, "not used"),
            splits,
            tuple(item for item in findings if item["feature"] == name),
            tuple(item for item in measured if item["feature"] == name),
        )
        for number, name in enumerate(names, 1)
    )


def _roles(spec: DataSpec) -> dict[str, str]:
    label = spec.label
    roles = {label.column: f"label, {label.problem}"}
    roles |= {feature.name: feature.kind for feature in spec.features}
    # Any of these may be an input too.
    for name, role in ((label.column, "label"), (label.ratio_to, "label"), (spec.weight, "weight")):
        if name is not None and role not in roles.get(name, ""):
            roles[name] = f"{roles[name]}, {role}" if name in roles else role
    return roles


def worst(findings: Iterable[Mapping[str, Any]]) -> str:
    """`error`, `warn`, or empty."""
    found = {item["severity"] for item in findings}
    return next((severity for severity in ("error", "warn") if severity in found), "")


def _feature(
    anchor: str,
    name: str,
    role: str,
    splits: Mapping[str, Split],
    findings: tuple[Mapping[str, Any], ...],
    measured: tuple[Mapping[str, Any], ...],
) -> Feature:
    columns = {key: split.columns[name] for key, split in splits.items() if name in split.columns}
    binned, ranked = _binned(columns), _ranked(columns)
    drawn: Binned | Ranked | None = binned or ranked
    chart = None
    if binned is not None:
        chart = histogram(binned, anchor=f"{anchor}-bins", title=f"Distribution of {name}")
    elif ranked is not None:
        chart = steps(ranked)
    return Feature(
        anchor=anchor,
        name=name,
        role=role,
        type=" or ".join(dict.fromkeys(c.type for c in columns.values() if c.num_present)),
        severity=worst(findings),
        findings=findings,
        columns=columns,
        numbers=_numbers(columns, splits),
        values=_bins(binned, splits) if binned else _values(ranked, splits) if ranked else (),
        is_binned=binned is not None,
        chart=chart,
        distances={
            key: drawn.distance(TRAIN, key)
            for key in (drawn.shares if drawn is not None else ())
            if key != TRAIN and drawn is not None and TRAIN in drawn.shares
        },
        measured=measured,
    )


def _binned(columns: Mapping[str, Column]) -> Binned | None:
    known = {key: item.cumulative for key, item in columns.items() if item.cumulative is not None}
    return bin_numbers(known) if known else None


def _ranked(columns: Mapping[str, Column]) -> Ranked | None:
    known = {key: (item.counts, item.num_values) for key, item in columns.items() if item.counts}
    return rank_values(known) if known else None


def _numbers(columns: Mapping[str, Column], splits: Mapping[str, Split]) -> tuple[Line, ...]:
    """Every statistic that any split has."""
    facts: dict[str, Callable[[Column], str]] = {
        "rows with a value": lambda c: f"{c.num_present:,}",
        "missing": lambda c: f"{c.num_missing:,} ({percent(c.missing_share)})",
        "values of a row": _list_length,
        "different values": lambda c: short(c.num_unique),
        "zeros": _zeros,
        "NaN": lambda c: f"{c.num_nan:,}" if c.num_nan else "",
        "mean": lambda c: short(c.mean),
        "standard deviation": lambda c: short(c.std),
        "minimum": lambda c: short(c.minimum) if c.mean_length is None else "",
        "median": lambda c: short(c.median),
        "maximum": lambda c: short(c.maximum) if c.mean_length is None else "",
        "mean length, bytes": lambda c: short(c.mean_length),
        "length, bytes": _length,
    }
    lines = []
    for name, fact in facts.items():
        cells = tuple(fact(columns[key]) if key in columns else "absent" for key in splits)
        if any(cell not in ("", "absent") for cell in cells):
            lines.append(Line(name=name, cells=cells))
    return tuple(lines)


def _list_length(column: Column) -> str:
    if column.most_values <= 1:
        return ""
    return f"{short(column.mean_values)} on average, at most {column.most_values:,}"


def _zeros(column: Column) -> str:
    if column.num_zeros is None or not column.num_values:
        return ""
    return f"{column.num_zeros:,} ({percent(column.num_zeros / column.num_values)})"


def _length(column: Column) -> str:
    if column.mean_length is None or column.minimum is None:
        return ""
    return f"{short(column.minimum)} to {short(column.maximum)}"


def _bins(binned: Binned, splits: Mapping[str, Split]) -> tuple[Line, ...]:
    keys = [key for key in splits if key in binned.shares]
    lines = [
        _line(binned.name(index), [binned.shares[key][index] for key in keys])
        for index in range(len(binned.edges) - 1)
    ]
    for place, name in ((0, "less"), (1, "more")):
        rest = [binned.outside[key][place] for key in keys]
        if any(share > 1e-9 for share in rest):
            lines.insert(0 if place == 0 else len(lines), _line(name, rest))
    return tuple(lines)


def _values(ranked: Ranked, splits: Mapping[str, Split]) -> tuple[Line, ...]:
    keys = [key for key in splits if key in ranked.shares]
    lines = [
        _line(_clipped(value), [ranked.shares[key][index] for key in keys])
        for index, value in enumerate(ranked.values)
    ]
    if not ranked.is_whole:
        lines.append(_line("all others", [ranked.rest[key] for key in keys]))
    return tuple(lines)


def _line(name: str, shares: Sequence[float]) -> Line:
    return Line(name=name, cells=tuple(percent(share) for share in shares), shares=tuple(shares))


def _clipped(value: str) -> str:
    if not value.strip():
        return repr(value)
    return value if len(value) <= _MAX_CHARACTERS else f"{value[: _MAX_CHARACTERS - 1]}…"

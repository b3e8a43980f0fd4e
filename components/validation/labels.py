"""What can be wrong with a label, so that nothing, or the wrong thing, is learned."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from components.features import Label
from components.validation.cells import FLOAT, shown
from components.validation.columns import Reader
from components.validation.findings import Finding, share
from components.validation.look import Look
from components.validation.observe import ColumnObserver
from components.validation.rows import labels as label_values

_SHOWN = 3


def missing(look: Look, label: Label, reader: Reader) -> Iterator[Finding]:
    """No label column, rows without a label, or one label in all rows."""
    column = look.columns.get(label.column)
    if column is None or not column.num_present:
        yield _finding(reader, "no_label", label, "no row has a label")
        return
    if column.num_missing and label.ratio_to is None:
        count, total = column.num_missing, column.num_rows
        yield Finding(
            rule="label_missing",
            feature=label.column,
            split=reader.split,
            observed=f"{share(count, total)} rows have no label{reader.sample}",
            count=count,
            total=total,
            fix=reader.fixes.of("label_missing", label.column),
        )
    if _is_single(look, column, label):
        only = list(column.counts or ())[:1]
        text = "every row has the same label, so there is nothing to learn"
        yield _finding(reader, "single_class", label, text, tuple(shown(item) for item in only))


def unknown_classes(
    train: Look, evaluated: Look, label: Label, reader: Reader
) -> Iterator[Finding]:
    """Rows whose class does not occur in the train split: no model can answer it."""
    known, seen = train.columns.get(label.column), evaluated.columns.get(label.column)
    if label.problem == "regression" or label.ratio_to is not None or known is None or seen is None:
        return
    if known.counts is None or seen.counts is None:
        return
    new = {value: count for value, count in seen.counts.items() if value not in known.counts}
    if not new:
        return
    count, total = sum(new.values()), seen.num_values
    yield Finding(
        rule="unknown_class",
        feature=label.column,
        split=reader.split,
        observed=f"{share(count, total)} rows have a class that no row of the train split has",
        count=count,
        total=total,
        examples=tuple(f"{shown(value)} in {n:,} rows" for value, n in list(new.items())[:_SHOWN]),
        fix=reader.fixes.of("unknown_class", label.column),
    )


def _is_single(look: Look, column: ColumnObserver, label: Label) -> bool:
    if label.ratio_to is not None:
        derived = label_values(look.rows, label)
        return derived is not None and len(np.unique(derived)) == 1
    if column.kind == FLOAT and column.counts is not None:
        return len({value for value in column.counts if value == value}) == 1
    return column.counts is not None and len(column.counts) == 1


def _finding(
    reader: Reader, rule: str, label: Label, observed: str, examples: tuple[str, ...] = ()
) -> Finding:
    return Finding(
        rule=rule,
        feature=label.column,
        split=reader.split,
        observed=observed,
        examples=examples,
        fix=reader.fixes.of(rule, label.column),
    )

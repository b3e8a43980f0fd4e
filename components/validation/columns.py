"""Turns what was observed of one column into findings: the words, the counts, the examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from components.features import CATEGORICAL, DataSpec
from components.validation.cells import FLOAT, INT, TEXT, shown
from components.validation.findings import Finding, share
from components.validation.fixes import Fixes
from components.validation.observe import ColumnObserver, example_texts

# Rows from which on a pattern is more than chance.
MIN_ROWS = 30

_MAX_LISTED = 8
_PREDICATES = {INT: "whole numbers", FLOAT: "numbers", TEXT: "text"}


def row_name(row: int) -> str:
    """`row 1` for the first row."""
    return f"row {row + 1:,}"


@dataclass(frozen=True, kw_only=True)
class Reader:
    """How a part of the data was read, for the words of a finding.

    Attributes:
        fixes: what to edit.
        split: its split; empty where there is none.
        place: names one of its rows, by its number from 0.
        sample: what is said of counts over a part of the rows; empty if all were seen.
    """

    fixes: Fixes
    split: str = ""
    place: Callable[[int], str] = row_name
    sample: str = ""


def schema_rules(column: ColumnObserver) -> Iterator[str]:
    """The rules of the schema that a column breaks; as TensorFlow Data Validation judges them."""
    contract = column.contract
    if contract is None:
        yield "new_column"
        return
    if not column.num_present:
        if contract.min_count > 0 or contract.min_fraction > 0:
            yield "missing_values"
        return
    # A column has one type, so that one text among numbers makes all of them text.
    if contract.kind and column.kind != contract.kind:
        yield "wrong_type"
        return
    too_few = column.num_present / column.num_rows < contract.min_fraction
    if too_few or column.num_present < contract.min_count:
        yield "missing_values"
    known = column.num_values - column.tally("out_of_domain").count
    if known < contract.min_domain_mass * column.num_values:
        yield "out_of_domain"
    for rule in ("value_count", "out_of_range"):
        if column.tally(rule).count:
            yield rule
    if contract.strings is not None and column.tally("invalid_utf8").count:
        yield "invalid_utf8"


def own_rules(column: ColumnObserver, spec: DataSpec | None) -> Iterator[str]:
    """The rules beyond the schema that may be broken; the policy judges their shares.

    Args:
        column: what was observed.
        spec: the inputs of the model; None to judge every column as an input.
    """
    for rule in ("nan", "beyond_float32"):
        if column.tally(rule).count:
            yield rule
    kind = None
    if spec is not None:
        kind = next((item.kind for item in spec.features if item.name == column.name), None)
        if kind is None:
            return
    if column.num_missing:
        yield "mostly_missing"
    if not column.num_present:
        return
    if column.counts is not None and len(column.counts) == 1 and not column.num_missing:
        yield "constant_column"
        return
    if column.kind != TEXT or (kind is not None and kind != CATEGORICAL):
        return
    if column.tally("empty_text").count:
        yield "empty_text"
    has_domain = column.contract is not None and column.contract.strings is not None
    if column.tally("number_as_text").count and not has_domain:
        yield "number_as_text"
    if column.num_present >= MIN_ROWS and column.num_unlike > 1:
        yield "id_like"


def finding(rule: str, column: ColumnObserver, reader: Reader, anomaly: str = "") -> Finding:
    """A finding with its counts and examples.

    Args:
        rule: one of those that `schema_rules` and `own_rules` give.
        column: what was observed.
        reader: how it was read.
        anomaly: TensorFlow Metadata's name of it.
    """
    count, total, observed = _DESCRIBED[rule](column)
    examples = example_texts(column.tally(rule), reader.place)
    if rule in ("new_column", "id_like", "constant_column"):
        examples = _first_values(column)
    return Finding(
        rule=rule,
        feature=column.name,
        split=reader.split,
        observed=observed + (reader.sample if count else ""),
        count=count,
        total=total,
        examples=examples,
        fix=reader.fixes.of(rule, column.name, tuple(v for v, _ in column.tally(rule).examples)),
        anomaly=anomaly,
    )


_Described = tuple[int | None, int | None, str]


def _of_rows(column: ColumnObserver) -> _Described:
    contract = column.contract
    text = f"{share(column.num_missing, column.num_rows)} rows have no value"
    if contract is not None and contract.min_fraction:
        text += f"; the schema asks for one in at least {100 * contract.min_fraction:g} %"
    elif contract is not None and contract.min_count:
        text += f"; the schema asks for at least {contract.min_count:,}"
    return column.num_missing, column.num_rows, text


def _mostly_missing(column: ColumnObserver) -> _Described:
    text = f"{share(column.num_missing, column.num_rows)} rows have no value"
    return column.num_missing, column.num_rows, text


def _new_column(column: ColumnObserver) -> _Described:
    what = _PREDICATES.get(column.kind, "no value at all")
    return None, None, f"the schema does not know this column; it holds {what}"


def _wrong_type(column: ColumnObserver) -> _Described:
    assert column.contract is not None
    count = column.tally("wrong_type").count
    wanted = _PREDICATES[column.contract.kind]
    seen = f"{share(count, column.num_values)} values are not"
    if not count:
        if column.kind == TEXT:
            return None, None, "its values fit, but cells of another split make the column text"
        said, has = column.contract.kind.upper(), column.kind.upper()
        return None, None, f"the schema says {said}, the data holds {has}"
    return count, column.num_values, f"the schema says {wanted}, but {seen}"


def _out_of_domain(column: ColumnObserver) -> _Described:
    assert column.contract is not None
    count = column.tally("out_of_domain").count
    strings = sorted(column.contract.strings or ())
    listed = ", ".join(shown(value) for value in strings[:_MAX_LISTED])
    more = f" and {len(strings) - _MAX_LISTED} more" if len(strings) > _MAX_LISTED else ""
    return (
        count,
        column.num_values,
        f"{share(count, column.num_values)} values are not in the domain ({listed}{more})",
    )


def _out_of_range(column: ColumnObserver) -> _Described:
    contract = column.contract
    assert contract is not None
    count = column.tally("out_of_range").count
    if contract.minimum is None:
        bound = f"above {shown(contract.maximum)}"
    elif contract.maximum is None:
        bound = f"below {shown(contract.minimum)}"
    else:
        bound = f"outside {shown(contract.minimum)} to {shown(contract.maximum)}"
    span = f"seen {shown(column.minimum)} to {shown(column.maximum)}"
    return count, column.num_values, f"{share(count, column.num_values)} values are {bound}; {span}"


def _value_count(column: ColumnObserver) -> _Described:
    contract = column.contract
    assert contract is not None
    count = column.tally("value_count").count
    most = "any number of" if contract.max_values is None else contract.max_values
    wanted = f"{contract.min_values} to {most}"
    if contract.min_values == contract.max_values:
        wanted = str(most)
    return (
        count,
        column.num_rows,
        f"{share(count, column.num_rows)} rows have another number of values than {wanted}",
    )


def _id_like(column: ColumnObserver) -> _Described:
    return (
        column.num_unlike,
        column.num_values,
        f"{share(column.num_unlike, column.num_values)} values are different: it names the row",
    )


def _constant(column: ColumnObserver) -> _Described:
    return None, None, f"all {column.num_rows:,} rows have one value, so nothing is learned from it"


def _of_values(rule: str, what: str) -> Callable[[ColumnObserver], _Described]:
    def describe(column: ColumnObserver) -> _Described:
        count = column.tally(rule).count
        return count, column.num_values, f"{share(count, column.num_values)} values {what}"

    return describe


_DESCRIBED: dict[str, Callable[[ColumnObserver], _Described]] = {
    "missing_values": _of_rows,
    "mostly_missing": _mostly_missing,
    "new_column": _new_column,
    "wrong_type": _wrong_type,
    "out_of_domain": _out_of_domain,
    "out_of_range": _out_of_range,
    "value_count": _value_count,
    "id_like": _id_like,
    "constant_column": _constant,
    "invalid_utf8": _of_values("invalid_utf8", "are not UTF-8"),
    "nan": _of_values("nan", "are not a number (NaN)"),
    "beyond_float32": _of_values("beyond_float32", "are infinite, or beyond 3.4e38 as a float32"),
    "empty_text": _of_values("empty_text", "are empty or blank text"),
    "number_as_text": _of_values("number_as_text", "are numbers in a text column"),
}


def is_described(rule: str) -> bool:
    """Whether a finding of this rule can be made from an observed column."""
    return rule in _DESCRIBED


def _first_values(column: ColumnObserver) -> tuple[str, ...]:
    if column.counts is None:
        return ()
    return tuple(shown(value) for value in list(column.counts)[:3])

"""Every rule of the data contract: what it finds, and what the gate does about it by default.

Imports nothing: the configuration is checked against these names before anything heavy loads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Policy = Literal["error", "warn", "ignore"]
Scope = Literal["column", "data"]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule.

    Attributes:
        name: its name in `validation.rules`.
        policy: what happens by default when it is broken.
        what: what it finds, as a phrase.
        above: the share of the rows above which `policy` acts; at or below it the next milder one
            does (an error is a warning, a warning is nothing). None for a rule without a share.
        below: a number of rows, for `too_few_rows`.
        scope: whether it judges one column or the data as a whole.
    """

    name: str
    policy: Policy
    what: str
    above: float | None = None
    below: int | None = None
    scope: Scope = "column"


_ALL = (
    # What the schema says.
    Rule(name="missing_column", policy="error", what="a column of the schema is absent"),
    Rule(name="new_column", policy="warn", what="a column that the schema does not know"),
    Rule(name="wrong_type", policy="error", what="values of another type than the schema's"),
    Rule(name="missing_values", policy="error", what="fewer rows with a value than its presence"),
    Rule(name="value_count", policy="error", what="too few or too many values in one row"),
    Rule(
        name="out_of_domain",
        policy="error",
        what="values that the string domain does not list",
        above=0.01,
    ),
    Rule(
        name="out_of_range",
        policy="error",
        what="numbers outside the domain's min and max",
        above=0.01,
    ),
    Rule(name="invalid_utf8", policy="error", what="bytes that are not UTF-8 in a text column"),
    Rule(name="unique_count", policy="error", what="too few or too many different values"),
    Rule(name="row_count", policy="error", what="fewer or more rows than the schema says"),
    Rule(name="schema_invalid", policy="error", what="a schema that contradicts itself"),
    Rule(name="other", policy="error", what="any other anomaly that TensorFlow DV reports"),
    # What no schema says.
    Rule(name="nan", policy="error", what="values that are not a number (NaN)", above=0.01),
    Rule(
        name="beyond_float32",
        policy="error",
        what="infinite numbers, or beyond 3.4e38, the largest float32",
        above=0.0,
    ),
    Rule(name="mostly_missing", policy="warn", what="an input that few rows have", above=0.95),
    Rule(name="empty_text", policy="warn", what="text that is empty or only blanks", above=0.0),
    Rule(name="number_as_text", policy="warn", what="text that is mostly numbers", above=0.9),
    Rule(name="constant_column", policy="warn", what="an input with one value in all rows"),
    Rule(
        name="id_like", policy="warn", what="a category that is new in nearly all rows", above=0.9
    ),
    Rule(name="leakage", policy="warn", what="an input that tells the label in every row"),
    # The label.
    Rule(name="no_label", policy="error", what="the label column is absent"),
    Rule(name="label_missing", policy="error", what="rows without a label", above=0.0),
    Rule(name="single_class", policy="error", what="one label in all rows"),
    Rule(
        name="unknown_class",
        policy="error",
        what="rows whose class is not in the train split",
        above=0.01,
    ),
    # The data as a whole.
    Rule(name="too_few_rows", policy="error", what="a small split", below=10, scope="data"),
    Rule(
        name="duplicate_rows",
        policy="warn",
        what="rows that repeat an earlier one",
        above=0.05,
        scope="data",
    ),
    Rule(
        name="split_overlap",
        policy="warn",
        what="eval rows whose inputs are also in the train split",
        above=0.01,
        scope="data",
    ),
    # Compared with other data.
    Rule(name="drift", policy="error", what="other values than in the last accepted data"),
    Rule(name="skew", policy="error", what="other values than in the logged requests"),
)

RULES: dict[str, Rule] = {rule.name: rule for rule in _ALL}

"""What a user can edit so that a rule is kept."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from components.validation.cells import shown

# What `python -m pipeline.schema update` can write into a schema.
ACCEPTED = {
    "missing_column",
    "new_column",
    "wrong_type",
    "missing_values",
    "value_count",
    "out_of_domain",
    "out_of_range",
}


@dataclass(frozen=True, kw_only=True)
class Fixes:
    """Words for what to edit, with the files' names.

    Attributes:
        data: the file or folder of the data.
        schema: the curated schema; None where it is inferred at each run.
        serving_log: the folder of logged requests, if there is one.
    """

    data: str
    schema: str | None
    serving_log: str | None = None

    def of(self, rule: str, column: str, values: tuple[Any, ...] = ()) -> str:
        """What to edit for a finding.

        Args:
            rule: the rule.
            column: the column; empty for the data as a whole.
            values: some that break the rule.
        """
        name = repr(column)
        words = _WORDS.get(rule, "Fix the data.")
        listed = ", ".join(shown(value) for value in values)
        text = words.format(
            column=name,
            plain=column,
            data=self.data,
            values=listed or "the values",
            log=self.serving_log or "the serving log",
        )
        return text

    def commands(self, broken: Sequence[tuple[str, str]]) -> list[str]:
        """What to type next: to see the rows, and to accept the data as it is.

        Args:
            broken: (column, rule) of each error.
        """
        data = shlex.quote(self.data)
        if self.schema is None:
            return [f"write the contract down: python -m pipeline.schema infer {data}"]
        schema = shlex.quote(self.schema)
        lines = []
        if any(rule not in _OF_NO_ROW for _, rule in broken):
            lines.append(f"see the rows: python -m pipeline.schema check {data} --schema {schema}")
        # Cells of another type are a slip far more often than a new type.
        likely = ACCEPTED - {"wrong_type"}
        accepted = ",".join(f"{column}:{rule}" for column, rule in broken if rule in likely)
        if accepted:
            lines.append(
                f"if the data is right: python -m pipeline.schema update {schema} --from {data} "
                f"--accept {shlex.quote(accepted)}"
            )
        return lines


# No single row is to blame for these.
_OF_NO_ROW = {"drift", "skew", "too_few_rows", "row_count", "schema_invalid"}

_IGNORE = "or leave the column out: features.{plain}: ignore in the configuration."

_WORDS = {
    "missing_column": "Put the column {column} back into {data}.",
    "new_column": "Remove the column {column} from {data}, or describe it in the schema.",
    "wrong_type": "Correct the cells of {column} in {data}.",
    "missing_values": "Fill the gaps of {column} in {data}.",
    "value_count": "Correct the rows of {column} in {data}.",
    "out_of_domain": "Correct {values} in {column} of {data}.",
    "out_of_range": "Correct {values} in {column} of {data}.",
    "invalid_utf8": "Write the text of {column} in {data} as UTF-8.",
    "nan": "Leave the cells of {column} in {data} empty where there is no number; an empty cell is "
    "imputed and marked.",
    "beyond_float32": "Correct {values} in {column} of {data}; a model computes in float32.",
    "mostly_missing": "Fill {column} in {data}, " + _IGNORE,
    "empty_text": "Leave the cells of {column} in {data} empty, without blanks, where there is no "
    "value.",
    "number_as_text": "Correct the cells of {column} in {data} that are no numbers; if they are "
    "codes, set validation.features.{plain}.number_as_text: ignore.",
    "constant_column": "Check how {column} of {data} is written, " + _IGNORE,
    "id_like": "A row's name says nothing of other rows: leave it out with features.{plain}: "
    "ignore in the configuration.",
    "leakage": "If {column} is known only after the label is, leave it out with features.{plain}: "
    "ignore in the configuration.",
    "no_label": "Put the column {column} into {data}, or name another one: label.column.",
    "label_missing": "Fill {column} in {data}, or remove the rows without it.",
    "single_class": "Add rows with other labels to {data}, or name another one: label.column.",
    "unknown_class": "Add rows of these classes to {data}, or remove those that there are.",
    "too_few_rows": "Add rows to {data}, or change data.splits.",
    "duplicate_rows": "Remove the repeated rows from {data}; they count several times.",
    "split_overlap": "Remove the repeated rows from {data}; what is learned by heart looks good in "
    "the evaluation.",
    "drift": "See why {column} changed. If it is right that way, set a larger "
    "validation.drift.features.{plain}, or accept it once with validation.rules.drift: warn.",
    "skew": "See why {column} differs between {data} and {log}; set a larger "
    "validation.skew.features.{plain} if it is right that way.",
    "schema_invalid": "Correct the feature {column} in the schema.",
    "unique_count": "Correct {column} in {data}, or unique_constraints in the schema.",
    "row_count": "Check {data}, or change dataset_constraints in the schema.",
    "other": "Correct {column} in {data}, or its feature in the schema.",
}

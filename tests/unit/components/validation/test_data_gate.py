"""The real gate on real statistics: data that breaks each rule is found, and clean data passes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from components.features import DataSpec, Feature, Label
from components.validation.rules import RULES
from tests.unit.components.validation.conftest import SCHEMA, SPEC, Gated, Row, table

Gate = Callable[..., Gated]
LEAST = 'presence { min_fraction: 1.0 min_count: 1 } domain: "city"'


def changed(column: str, value: Any, rows: Sequence[int], num_rows: int = 200) -> list[Row]:
    """A clean table with some cells of a column replaced."""
    made = table(num_rows, 1)
    for row in rows:
        made[row][column] = value(row) if callable(value) else value
    return made


def without(column: str, num_rows: int, seed: int) -> list[Row]:
    return [{k: v for k, v in row.items() if k != column} for row in table(num_rows, seed)]


def with_column(num_rows: int, seed: int, value: Callable[[int, Row], Any]) -> list[Row]:
    return [{**row, "extra": value(n, row)} for n, row in enumerate(table(num_rows, seed))]


@dataclasses.dataclass(frozen=True)
class Case:
    """Data that breaks one rule.

    `says` is a part of the first finding's text with its examples; `extra` goes to the gate.
    """

    rule: str
    feature: str
    severity: str
    count: int | None
    says: str
    train: Callable[[], list[Row]] | None = None
    evaluated: Callable[[], list[Row]] | None = None
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)


HALF, SOME = range(0, 200, 2), range(0, 200, 10)
CASES = (
    Case(
        "missing_column", "city", "error", None, "absent; the schema requires it (text)",
        lambda: without("city", 200, 1), lambda: without("city", 100, 2),
    ),
    Case(
        "new_column", "extra", "warn", None, "does not know this column; it holds whole numbers",
        lambda: with_column(200, 1, lambda n, row: n % 7),
        lambda: with_column(100, 2, lambda n, row: n % 7),
    ),
    Case(
        "wrong_type", "amount", "error", 20, "says numbers, but 20 of 200 (10 %) values are not",
        lambda: [
            {**row, "amount": "n/a" if n in SOME else str(row["amount"])}
            for n, row in enumerate(table(200, 1))
        ],
    ),
    Case(
        "missing_values", "visits", "error", 100, "100 of 200 (50 %) rows have no value; the",
        lambda: changed("visits", None, HALF),
    ),
    Case(
        "value_count", "amount", "error", 20, "another number of values than 1: 2 values in row 1",
        lambda: changed("amount", [1.0, 2.0], SOME),
    ),
    Case(
        "out_of_domain", "city", "error", 20, "('Kyiv', 'Oslo', 'Rome'): 'Lima' in row 1 of the",
        lambda: changed("city", "Lima", SOME),
    ),
    Case(
        "out_of_range", "visits", "error", 20, "outside 0 to 20; seen 1 to 99: 99 in row 1 of the",
        lambda: changed("visits", 99, SOME),
    ),
    Case(
        "invalid_utf8", "city", "error", 20, "20 of 200 (10 %) values are not UTF-8: '\\xff' in",
        lambda: changed("city", b"\xff", SOME),
    ),
    Case(
        "unique_count", "city", "error", None, "unique",
        extra={"schema": SCHEMA.replace(LEAST, LEAST + " unique_constraints { min: 5 max: 9 }")},
    ),
    Case(
        "row_count", "", "error", None, "examples",
        extra={"schema": SCHEMA + "dataset_constraints { min_examples_count: 5000 }"},
    ),
    Case(
        "schema_invalid", "note", "error", None, "",
        extra={"schema": SCHEMA.replace('"note" type: BYTES', '"note" type: BYTES domain: "no"')},
    ),
    Case(
        "other", "note", "error", None, "natural language",
        extra={"schema": SCHEMA.replace(
            '"note" type: BYTES',
            '"note" type: BYTES natural_language_domain { coverage { min_coverage: 0.9 } }',
        )},
    ),
    Case(
        "nan", "rate", "error", 20, "20 of 200 (10 %) values are not a number (NaN): nan in row 1",
        lambda: changed("rate", float("nan"), SOME),
    ),
    Case(
        "beyond_float32", "rate", "error", 1, "infinite, or beyond 3.4e38 as a float32: inf in row",
        lambda: changed("rate", float("inf"), [4]),
    ),
    Case(
        "mostly_missing", "rate", "warn", 195, "195 of 200 (98 %) rows have no value",
        lambda: changed("rate", None, range(195)),
    ),
    Case(
        "empty_text", "note", "warn", 20, "empty or blank text: '  ' in row 1 of the split",
        lambda: changed("note", "  ", SOME),
    ),
    Case(
        "number_as_text", "note", "warn", 195, "195 of 200 (98 %) values are numbers in a text",
        lambda: changed("note", lambda row: str(row % 5), range(195)),
    ),
    Case(
        "constant_column", "rate", "warn", None, "all 200 rows have one value",
        lambda: changed("rate", 1.5, range(200)),
    ),
    Case(
        "id_like", "note", "warn", 200, "it names the row: 'id-0x', 'id-1x', 'id-2x'",
        lambda: changed("note", lambda row: f"id-{row}x", range(200)),
    ),
    Case(
        "leakage", "visits", "warn", None, "the classes lie in ranges of it that do not overlap",
        lambda: [{**row, "visits": 3 + 4 * (row["y"] == "yes")} for row in table(200, 1)],
    ),
    Case(
        "no_label", "y", "error", None, "no row has a label",
        lambda: without("y", 200, 1), lambda: without("y", 100, 2),
    ),
    Case(
        "label_missing", "y", "error", 20, "20 of 200 (10 %) rows have no label",
        lambda: changed("y", None, SOME),
    ),
    Case(
        "single_class", "y", "error", None, "every row has the same label, so there is nothing",
        lambda: changed("y", "yes", range(200)),
    ),
    Case(
        "unknown_class", "y", "error", 10, "10 of 100 (10 %) rows have a class that no row of the",
        None, lambda: changed("y", "maybe", range(0, 100, 10), 100),
    ),
    Case(
        "too_few_rows", "", "error", 9, "9 rows, at least 10 are needed",
        None, lambda: table(9, 2),
    ),
    Case(
        "duplicate_rows", "", "warn", 20, "rows repeat an earlier one: row 201 of the split "
        "repeats row 1 of the split",
        lambda: table(200, 1) + table(200, 1)[:20],
    ),
    Case(
        "split_overlap", "", "warn", 10, "10 of 110 (9.1 %) rows have inputs that the train split",
        None,
        lambda: table(100, 2)
        + [{**row, "y": "no" if row["y"] == "yes" else "yes"} for row in table(200, 1)[:10]],
    ),
    Case(
        "drift", "city", "error", None, "above the threshold 0.1: 'Oslo' 100 % before,",
        extra={
            "accepted": [{**row, "city": "Oslo"} for row in table(200, 3)],
            "is_drift_on": True,
            "settings": {"drift": {}},
        },
    ),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_each_rule_is_found_with_its_count_examples_and_fix(gate: Gate, case: Case) -> None:
    extra = dict(case.extra)
    settings = extra.pop("settings", {})
    done = gate(
        case.train() if case.train else None,
        case.evaluated() if case.evaluated else None,
        **extra,
        **settings,
    )
    found = done.of(case.rule)
    assert found, done
    first = found[0]
    assert (first["feature"], first["severity"]) == (case.feature, case.severity)
    assert first["count"] == case.count
    shown = first["observed"] + ": " + ", ".join(first["examples"])
    assert case.says in shown
    assert first["fix"].endswith(".")
    assert "{" not in first["fix"]
    assert bool(done.refusal) == (case.severity == "error")
    if case.severity == "error":
        assert f"[{case.rule}]" in done.refusal
        assert "visits.csv" in done.refusal
    else:
        assert done.properties["num_warnings"] == len(done.findings)
        assert case.rule in json.loads(done.properties["rules"])
        assert any(f"[{case.rule}]" in line for line in json.loads(done.properties["warnings"]))


def test_every_rule_has_a_case_here_or_in_the_test_of_the_serving_log() -> None:
    assert {case.rule for case in CASES} == RULES.keys() - {"skew"}


def test_clean_data_passes_without_a_finding(gate: Gate) -> None:
    done = gate()
    assert done.refusal == ""
    assert done.findings == []
    assert done.properties["num_warnings"] == 0


def test_a_share_at_or_below_the_bound_only_warns(gate: Gate) -> None:
    rows = changed("city", "Lima", [7, 9])
    done = gate(rows)
    assert [item["severity"] for item in done.of("out_of_domain")] == ["warn"]
    assert gate(rows, rules={"out_of_domain": {"above": 0.001}}).refusal
    relaxed = gate(changed("city", "Lima", SOME), rules={"out_of_domain": {"above": 0.5}})
    assert not relaxed.refusal


def test_a_columns_own_setting_wins_over_the_rules(gate: Gate) -> None:
    rows = changed("city", "Lima", SOME)
    rules = {"out_of_domain": "error"}
    assert gate(rows, rules=rules, features={"visits": {"out_of_domain": "ignore"}}).refusal
    passed = gate(rows, rules=rules, features={"city": {"out_of_domain": "ignore"}})
    assert not passed.refusal
    assert passed.of("out_of_domain") == []


def test_two_rules_that_one_column_breaks_are_judged_apart(gate: Gate) -> None:
    rows = changed("visits", 99, SOME)
    for row in range(1, 200, 2):
        rows[row]["visits"] = None
    done = gate(rows, features={"visits": {"out_of_range": "warn"}})
    assert [item["severity"] for item in done.of("missing_values")] == ["error"]
    assert [item["severity"] for item in done.of("out_of_range")] == ["warn"]


def test_counts_of_a_part_of_the_rows_say_so(gate: Gate) -> None:
    done = gate(changed("city", "Lima", SOME), look_rows=50)
    [found] = done.of("out_of_domain")
    assert found["count"] == 5
    assert found["observed"].endswith("of the first 50 rows")


def test_what_only_later_rows_break_is_still_an_error(gate: Gate) -> None:
    done = gate(changed("city", "Lima", range(150, 200)), look_rows=50)
    [found] = done.of("out_of_domain")
    assert found["severity"] == "error"
    assert "Lima" in found["observed"]


def test_a_column_of_the_serving_environment_alone_is_not_asked_for(gate: Gate) -> None:
    served = (
        'feature { name: "asked" type: BYTES presence { min_count: 1 } '
        'not_in_environment: "TRAINING" }'
    )
    assert gate(schema=SCHEMA + served).findings == []


def test_a_first_run_has_nothing_to_compare_with(gate: Gate) -> None:
    done = gate(is_drift_on=True)
    assert "nothing to compare with" in done.report["notes"][0]
    assert json.loads(done.properties["notes"]) == done.report["notes"]


@pytest.mark.parametrize(
    ("rows", "schema", "says"),
    [
        ([7.0, 8.0], 'feature { name: "visits" type: INT }', "the schema says INT, the data holds"),
        ([7, 8], 'feature { name: "visits" type: FLOAT }', "the schema says FLOAT, the data holds"),
    ],
)
def test_numbers_of_another_type_are_named(
    gate: Gate, rows: list[Any], schema: str, says: str
) -> None:
    def column(num_rows: int, seed: int) -> list[Row]:
        return [{**row, "visits": rows[n % 2]} for n, row in enumerate(table(num_rows, seed))]

    own = SCHEMA[: SCHEMA.index('feature { name: "visits"')] + schema
    own += SCHEMA[SCHEMA.index('feature { name: "city"') - 1 :]
    [found, *_] = gate(column(200, 1), column(100, 2), schema=own).of("wrong_type")
    assert says in found["observed"]


def test_the_message_is_bounded(gate: Gate) -> None:
    rows = [{f"c{n}": "x" for n in range(60)} | row for row in table(200, 1)]
    done = gate(rows, rows, rules={"new_column": "error"})
    assert len(done.refusal.splitlines()) < 45
    assert len(done.of("new_column")) == 120
    assert "50 more" in done.refusal


@pytest.mark.parametrize(
    ("value", "spec", "says"),
    [
        (lambda row: row["y"], SPEC.features[3], "equals the label 'y'"),
        (lambda row: {"no": "a", "yes": "b"}[row["y"]], SPEC.features[3], "values has one label"),
        (lambda row: 1.0 if row["y"] == "yes" else None, SPEC.features[4], "2 values has one"),
    ],
    ids=["equal", "code", "present only for one class"],
)
def test_an_input_that_tells_the_label_is_named(
    gate: Gate, value: Callable[[Row], Any], spec: Feature, says: str
) -> None:
    done = gate([{**row, spec.name: value(row)} for row in table(200, 1)])
    [found] = done.of("leakage")
    assert found["feature"] == spec.name
    assert says in found["observed"]


def test_a_boolean_that_tells_the_label_is_named(gate: Gate) -> None:
    paid = SPEC.features[3].model_copy(update={"kind": "boolean"})
    spec = SPEC.model_copy(update={"features": (*SPEC.features[:3], paid)})
    rows = [{**row, "note": {"no": "t", "yes": "f"}[row["y"]]} for row in table(200, 1)]
    [found] = gate(rows, spec=spec).of("leakage")
    assert found["feature"] == "note"


def test_a_scaled_label_of_a_regression_is_named(gate: Gate) -> None:
    spec = SPEC.model_copy(
        update={
            "features": SPEC.features[1:4],
            "label": Label(column="amount", dtype="float", problem="regression"),
        }
    )
    spec = spec.model_copy(update={"features": (*spec.features, SPEC.features[4])})
    rows = [{**row, "rate": 3 * row["amount"] + 1} for row in table(200, 1)]
    [found] = gate(rows, spec=spec).of("leakage")
    assert found["feature"] == "rate"


def test_inputs_that_repeat_by_nature_are_no_overlap(gate: Gate) -> None:
    spec = DataSpec(features=(SPEC.features[1], SPEC.features[2]), label=SPEC.label)
    assert gate(spec=spec).of("split_overlap") == []


def test_a_derived_label_of_one_class_stops(gate: Gate) -> None:
    label = Label(
        column="amount", dtype="float", problem="binary", classes=("a", "b"),
        ratio_to="rate", above=0.2,
    )  # fmt: skip
    spec = DataSpec(features=SPEC.features[1:4], label=label)
    rows = [{**row, "rate": abs(row["rate"]) / 1000 + 1e-6} for row in table(200, 1)]
    [found, *_] = gate(rows, spec=spec).of("single_class")
    assert found["split"] == "train"

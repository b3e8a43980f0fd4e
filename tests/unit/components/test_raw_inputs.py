from __future__ import annotations

from components.features import DataSpec, Feature, Label
from components.raw_inputs import raw_inputs


def spec(*columns: str, weight: str | None = None) -> DataSpec:
    return DataSpec(
        features=tuple(Feature(name=name, kind="numeric", dtype="float") for name in columns),
        label=Label(column="price", dtype="float", problem="regression"),
        weight=weight,
    )


def named(*columns: str, weight: str | None = None) -> dict[str, str]:
    return {f.name: name for name, f in raw_inputs(spec(*columns, weight=weight)).items()}


def test_a_column_that_is_a_name_in_python_keeps_it() -> None:
    assert named("fare", "SibSp", "x_1") == {"fare": "fare", "SibSp": "SibSp", "x_1": "x_1"}


def test_other_characters_become_underscores() -> None:
    assert named("hours-per-week", "größe", "per cent %") == {
        "hours-per-week": "hours_per_week",
        "größe": "gr__e",
        "per cent %": "per_cent__",
    }


def test_a_name_that_no_argument_may_have_is_prefixed() -> None:
    assert named("class", "1st", "_x", "self", "") == {
        "class": "column_class",
        "1st": "column_1st",
        "_x": "column__x",
        "self": "column_self",
        "": "column_",
    }


def test_names_that_would_be_one_are_numbered_and_proper_ones_stay() -> None:
    assert named("a b", "a-b", "a_b") == {"a b": "a_b_2", "a-b": "a_b_3", "a_b": "a_b"}
    assert named("Fare", "fare", "FARE") == {"Fare": "Fare", "fare": "fare_2", "FARE": "FARE_3"}


def test_label_and_weight_are_not_asked_for() -> None:
    assert named("price", "fare", "count", weight="count") == {"fare": "fare"}

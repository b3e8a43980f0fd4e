"""The columns of the tests' data."""

from __future__ import annotations

from components.features import DataSpec, Feature, Label, Problem

CLASSES: dict[Problem, tuple[str, ...]] = {
    "binary": ("no", "yes"),
    "multiclass": ("no", "yes", "later"),
    "regression": (),
}


def make_data_spec(problem: Problem = "binary") -> DataSpec:
    """Two numeric columns, a categorical one, and a label."""
    return DataSpec(
        features=(
            Feature(name="fare", kind="numeric", dtype="float"),
            Feature(name="hour", kind="numeric", dtype="int"),
            Feature(name="company", kind="categorical", dtype="bytes"),
        ),
        label=Label(column="paid", dtype="bytes", problem=problem, classes=CLASSES[problem]),
    )

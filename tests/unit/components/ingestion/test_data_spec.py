from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from sklearn import datasets
from tensorflow_metadata.proto.v0 import schema_pb2

from components.errors import ConfigError, DataRejected
from components.features import Label
from components.ingestion.profile import Profile, profile
from components.ingestion.schema_spec import read_schema, schema_types, spec_from_schema
from components.ingestion.settings import DataSettings, FeatureOverride
from components.ingestion.sources import resolve
from components.ingestion.spec import Inference, infer_data_spec

TAXI_SCHEMA = Path(__file__).parents[4] / "schemas/taxi/schema.pbtxt"
BIG_TIP = Label(
    column="tips",
    dtype="float",
    problem="binary",
    classes=("0", "1"),
    ratio_to="fare",
    above=0.2,
)


@pytest.fixture
def profile_of(make_source):
    """Profiles rows that are made by one function a column; the label is `y`."""

    def make(num_rows: int = 200, *, y=lambda r: r % 2, **columns) -> Profile:
        columns = {**columns, "y": y}
        rows = [",".join(str(column(r)) for column in columns.values()) for r in range(num_rows)]
        return profile(make_source("\n".join([",".join(columns), *rows])), "y")

    return make


def _kinds(inference: Inference) -> dict[str, tuple[str, int]]:
    return {f.name: (f.kind, f.buckets) for f in inference.spec.features}


def test_kinds_follow_from_type_and_values(profile_of) -> None:
    found = profile_of(
        text=lambda r: "abc"[r % 3],
        price=lambda r: r / 7,
        half=lambda r: r % 2 / 2,
        count=lambda r: r * r,
        month=lambda r: r % 12,
        weekday=lambda r: r % 7,
        flag=lambda r: r // 2 % 2,
        rare=lambda r: max(0, r - 195),
    )
    assert _kinds(infer_data_spec(found, "y")) == {
        "text": ("categorical", 0),
        "price": ("numeric", 10),
        "half": ("numeric", 0),
        "count": ("numeric", 10),
        "month": ("numeric", 0),
        "weekday": ("categorical", 0),
        "flag": ("numeric", 0),
        "rare": ("numeric", 0),
    }


def test_pixels_are_numeric_and_digits_are_classes(make_source) -> None:
    digits = datasets.load_digits(as_frame=True)
    found = profile(make_source(digits.frame.astype(int).to_csv(index=False)), "target")
    inference = infer_data_spec(found, "target")
    assert {(f.kind, f.buckets) for f in inference.spec.features} == {("numeric", 0)}
    assert inference.spec.label.problem == "multiclass"
    assert inference.spec.label.classes == tuple("0123456789")
    assert {reason for _, reason in inference.ignored} == {"every row has the value '0'"}


def test_columns_that_say_nothing_are_ignored_with_a_reason(profile_of) -> None:
    found = profile_of(
        num_rows=3000,
        good=lambda r: r % 50,
        empty=lambda r: "",
        constant=lambda r: "x",
        key=lambda r: f"key-{r}",
        row=lambda r: r + 1,
        rare=lambda r: "x" if r == 7 else "",
        nan=lambda r: "nan",
    )
    inference = infer_data_spec(found, "y")
    assert list(_kinds(inference)) == ["good"]
    assert dict(inference.ignored) == {
        "empty": "no row has a value",
        "constant": "every row has the value 'x'",
        "key": "nearly every row has its own text",
        "row": "it numbers the rows",
        "rare": "only 1 of 3,000 rows have a value",
        "nan": "no value is a finite number",
    }


def test_explains_what_was_decided(profile_of) -> None:
    inference = infer_data_spec(profile_of(a=lambda r: r / 3, b=lambda r: "xyz"[r % 3]), "y")
    assert inference.explanation == (
        "label y: binary, 2 classes (0: 100, 1: 100)",
        "1 numeric: a",
        "1 categorical: b",
    )


@pytest.mark.parametrize(
    ("values", "problem", "classes"),
    [
        (["no", "yes"], "binary", ("no", "yes")),
        (["b", "c", "a"], "multiclass", ("a", "b", "c")),
        ([1, 0], "binary", ("0", "1")),
        ([7, 3], "binary", ("3", "7")),
        (
            [10, 9, 1, 2, 3, 5, 6, 7, 8],
            "multiclass",
            ("1", "2", "3", "5", "6", "7", "8", "9", "10"),
        ),
        ([0, 1, 100], "regression", ()),
        (range(21), "regression", ()),
        ([0.0, 1.0], "binary", ("0", "1")),
        ([0.5, 1.0], "regression", ()),
        ([0.0, 1.0, 2.0], "regression", ()),
    ],
)
def test_the_problem_follows_from_the_label(profile_of, values, problem, classes) -> None:
    values = list(values)
    found = profile_of(a=lambda r: r / 3, y=lambda r: values[r % len(values)])
    label = infer_data_spec(found, "y").spec.label
    assert (label.problem, label.classes) == (problem, classes)


def test_a_named_problem_wins(profile_of) -> None:
    found = profile_of(a=lambda r: r / 3, y=lambda r: r % 5)
    assert infer_data_spec(found, "y", problem="regression").spec.label.problem == "regression"


@pytest.mark.parametrize(
    ("label", "problem", "message"),
    [
        (lambda r: "ab"[r % 2], "regression", "holds text, such as 'a'"),
        (lambda r: r % 3, "binary", "has 3 different values, such as 0, 1, 2: a binary problem"),
    ],
)
def test_a_problem_that_does_not_fit_the_label_is_refused(
    profile_of, label, problem, message: str
) -> None:
    found = profile_of(a=lambda r: r / 3, y=label)
    with pytest.raises(ConfigError, match=message):
        infer_data_spec(found, "y", problem=problem)


def test_too_many_classes_are_refused(profile_of) -> None:
    found = profile_of(num_rows=1001, a=lambda r: r / 3, y=lambda r: f"class {r}")
    with pytest.raises(DataRejected, match="more than 1,000 different values, such as 'class 0'"):
        infer_data_spec(found, "y")


def test_nothing_left_to_learn_from_is_refused(profile_of) -> None:
    with pytest.raises(DataRejected, match=r"No column is left .*constant: every row has"):
        infer_data_spec(profile_of(constant=lambda r: 1), "y")


def test_overrides_change_what_they_name(profile_of) -> None:
    found = profile_of(
        a=lambda r: r, b=lambda r: r % 12, c=lambda r: r / 3, key=lambda r: f"key-{r}"
    )
    overrides = {
        "a": "ignore",
        "b": FeatureOverride(kind="categorical"),
        "c": FeatureOverride(buckets=4),
        "key": FeatureOverride(),
    }
    inference = infer_data_spec(found, "y", overrides)
    assert _kinds(inference) == {
        "b": ("categorical", 0),
        "c": ("numeric", 4),
        "key": ("categorical", 0),
    }
    assert inference.ignored == (("a", "the configuration says so"),)


@pytest.mark.parametrize(
    ("name", "override", "message"),
    [
        ("pirce", "ignore", "'pirce', which is no column of the data. Did you mean 'price'"),
        ("y", "ignore", "'y', which is the label"),
        ("price", FeatureOverride(kind="categorical"), "holds floats and cannot be categorical"),
        ("text", FeatureOverride(kind="numeric"), "holds text and cannot be numeric"),
        ("text", FeatureOverride(buckets=5), "only a numeric column has buckets"),
        ("empty", FeatureOverride(), "cannot be used: no row has a value"),
    ],
)
def test_overrides_that_do_not_fit_are_refused(profile_of, name, override, message) -> None:
    found = profile_of(price=lambda r: r / 7, text=lambda r: "ab"[r % 2], empty=lambda r: "")
    with pytest.raises(ConfigError, match=message):
        infer_data_spec(found, "y", {name: override})


def test_the_curated_schema_decides_the_columns() -> None:
    inference = spec_from_schema(read_schema(TAXI_SCHEMA), BIG_TIP)
    kinds = _kinds(inference)
    assert kinds["fare"] == ("numeric", 10)
    assert kinds["trip_start_hour"] == ("categorical", 0)
    assert kinds["payment_type"] == ("categorical", 0)
    assert "tips" not in kinds
    assert inference.spec.label == BIG_TIP
    assert inference.explanation[0] == "label tips: binary (1 where it is above 0.2 of fare)"


def test_the_curated_schema_drops_columns_the_data_has_no_values_for() -> None:
    found = profile(resolve(DataSettings()))
    inference = spec_from_schema(read_schema(TAXI_SCHEMA), BIG_TIP, profile=found)
    assert inference.ignored == (("pickup_census_tract", "only 1 of 15,002 rows have a value"),)


def test_the_builtin_trips_have_the_types_of_their_schema() -> None:
    found = profile(resolve(DataSettings()))
    types = schema_types(read_schema(TAXI_SCHEMA))
    assert {column.name: column.dtype for column in found.columns} == types


def _schema(**features: dict[str, object]) -> schema_pb2.Schema:
    schema = schema_pb2.Schema(default_environment=["TRAINING", "SERVING"])
    for name, fields in features.items():
        schema.feature.add(name=name, **{"type": schema_pb2.FLOAT, **fields})
    return schema


def test_only_features_that_a_server_gets_are_inputs() -> None:
    schema = _schema(
        y={},
        a={},
        late={"not_in_environment": ["SERVING"]},
        training={"in_environment": ["TRAINING"]},
        old={"lifecycle_stage": schema_pb2.DEPRECATED},
        struct={"type": schema_pb2.STRUCT},
    )
    label = Label(column="y", dtype="float", problem="regression")
    inference = spec_from_schema(schema, label)
    assert list(_kinds(inference)) == ["a"]
    assert [name for name, _ in inference.ignored] == ["late", "training", "old", "struct"]


def test_the_label_and_overrides_must_be_in_the_schema() -> None:
    schema = _schema(target={}, a={})
    label = Label(column="traget", dtype="float", problem="regression")
    with pytest.raises(ConfigError, match=r"'traget', which is not in the schema\. Did you mean"):
        spec_from_schema(schema, label)
    with pytest.raises(ConfigError, match="no column of the data"):
        spec_from_schema(
            schema, label.model_copy(update={"column": "target"}), {"b": FeatureOverride()}
        )


def test_a_damaged_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "schema.pbtxt"
    path.write_text("feature { nmae: 'a' }")
    with pytest.raises(ConfigError, match=r"schema\.pbtxt is not a TensorFlow Metadata schema"):
        read_schema(path)


def test_an_inference_cannot_be_changed(profile_of) -> None:
    inference = infer_data_spec(profile_of(a=lambda r: r), "y", {"a": FeatureOverride()})
    with pytest.raises(dataclasses.FrozenInstanceError):
        inference.ignored = ()

"""What the configuration and the schema may say of a column, and what they may not."""

from __future__ import annotations

from typing import Any

import pytest
from tensorflow_metadata.proto.v0 import schema_pb2

from components.errors import ConfigError
from components.features import Cross, Feature, Label
from components.ingestion.profile import Profile, profile
from components.ingestion.schema_spec import spec_from_schema
from components.ingestion.settings import FeatureOverride
from components.ingestion.spec import Inference, infer_data_spec
from pipeline.config import validate

COLUMNS = {
    "price": lambda r: r / 7,
    "town": lambda r: ("Oslo", "Rome", "Bern")[r % 3],
    "paid": lambda r: ("Yes", "no")[r % 2],
    "flag": lambda r: r // 2 % 2,
    "count": lambda r: r * r,
    "when": lambda r: f"2014-05-{1 + r % 28:02d} 17:30:00",
    "seconds": lambda r: 1_398_965_400 + 977 * r,
    "y": lambda r: r % 2,
}


@pytest.fixture
def profile_of(make_source):
    """Profiles 100 rows of `COLUMNS` and those given here."""

    def make(**columns) -> Profile:
        columns = COLUMNS | columns
        rows = [",".join(str(column(r)) for column in columns.values()) for r in range(100)]
        return profile(make_source("\n".join([",".join(columns), *rows])), "y")

    return make


def infer(found: Profile, *crosses: Any, **overrides: Any) -> Inference:
    said = {
        name: FeatureOverride.model_validate(keys) if isinstance(keys, dict) else keys
        for name, keys in overrides.items()
    }
    return infer_data_spec(
        found, "y", said, crosses=[Cross.model_validate(cross) for cross in crosses]
    )


def feature(inference: Inference, name: str) -> Feature:
    return next(item for item in inference.spec.features if item.name == name)


def test_every_key_reaches_the_feature(profile_of) -> None:
    found = infer(
        profile_of(),
        price={"scale": "log", "clip": 4, "missing": "median", "buckets": 5},
        count={"scale": "minmax", "missing": -1},
        town={"top_k": 10, "min_count": 3, "oov_buckets": 4},
        paid={"kind": "categorical", "hash_buckets": 7},
        flag={"kind": "boolean"},
        seconds={"kind": "timestamp", "unit": "ms"},
        when={"kind": "timestamp"},
    )
    price, count, town = (feature(found, name) for name in ("price", "count", "town"))
    assert (price.scale, price.clip, price.missing, price.buckets) == ("log", 4, "median", 5)
    assert (count.scale, count.clip, count.missing, count.buckets) == ("minmax", 10, -1, 10)
    assert (town.top_k, town.min_count, town.oov_buckets) == (10, 3, 4)
    assert feature(found, "paid").hash_buckets == 7
    assert feature(found, "flag").kind == "boolean"
    assert (feature(found, "seconds").kind, feature(found, "seconds").unit) == ("timestamp", "ms")
    assert feature(found, "when") == Feature(name="when", kind="timestamp", dtype="bytes")
    assert "2 timestamp: when, seconds" in found.explanation


def test_what_is_not_scaled_is_not_clipped_unless_it_is_said(profile_of) -> None:
    assert feature(infer(profile_of(), price={"scale": "none"}), "price").clip == 0
    assert feature(infer(profile_of(), price={"scale": "none", "clip": 3}), "price").clip == 3


def test_yes_and_no_are_a_boolean_and_one_and_zero_a_number(profile_of) -> None:
    found = infer(
        profile_of(
            mixed=lambda r: ("True", "TRUE", "false")[r % 3],
            gaps=lambda r: ("y", "n", "")[r % 3],
            letters=lambda r: "mf"[r % 2],
            always=lambda r: "yes" if r else "",
            third=lambda r: ("yes", "no", "maybe")[r % 3],
        )
    )
    kinds = {item.name: item.kind for item in found.spec.features}
    assert {name for name, kind in kinds.items() if kind == "boolean"} == {"paid", "mixed", "gaps"}
    assert kinds["letters"] == kinds["third"] == "categorical"
    assert kinds["flag"] == "numeric"
    assert "3 boolean: paid, mixed, gaps" in found.explanation


def test_dates_and_seconds_are_timestamps_only_when_it_is_said(profile_of) -> None:
    kinds = {item.name: item.kind for item in infer(profile_of()).spec.features}
    assert kinds["seconds"] == "numeric"
    assert kinds["when"] == "categorical"


@pytest.mark.parametrize(
    ("column", "keys", "message"),
    [
        ("town", {"scale": "log"}, "'town' .* is categorical: only a numeric column has buckets, "),
        ("town", {"clip": 0}, "only a numeric column has .*clip"),
        ("town", {"missing": 3}, "only a numeric column has .*missing"),
        ("price", {"hash_buckets": 5}, "is numeric: only a categorical column has hash_buckets"),
        ("price", {"top_k": 5}, "only a categorical column has .*top_k"),
        ("paid", {"min_count": 5}, "is boolean: only a categorical column has .*min_count"),
        ("seconds", {"unit": "ms"}, "is numeric: only a timestamp has a unit"),
        ("town", {"kind": "boolean"}, "has the value 'Oslo' and cannot be boolean"),
        ("count", {"kind": "boolean"}, "has the value 9801 and cannot be boolean"),
        ("town", {"kind": "timestamp"}, "text such as 'Oslo', which is no point in time"),
        ("price", {"kind": "timestamp", "buckets": 3}, "is timestamp: only a numeric column"),
    ],
)
def test_a_key_of_another_kind_is_refused(profile_of, column, keys, message) -> None:
    with pytest.raises(ConfigError, match=message):
        infer(profile_of(), **{column: keys})


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"hash_buckets": 9, "top_k": 3}, "features.a: hash_buckets and top_k: what is hashed has"),
        ({"hash_buckets": 9, "min_count": 3}, "hash_buckets and min_count"),
        ({"hash_buckets": 9, "oov_buckets": 3}, "hash_buckets and oov_buckets"),
        ({"hash_buckets": 0}, "features.a.hash_buckets: input should be greater"),
        ({"missing": "mode"}, r"features.a.missing: it is neither mean nor median nor a number"),
        ({"missing": True}, "features.a.missing: it is neither"),
        ({"missing": float("inf")}, "features.a.missing: it is neither"),
        ({"scale": "z"}, "features.a.scale: input should be 'zscore', 'minmax', 'log' or 'none'"),
        ({"scael": "log"}, "features.a.scael is not a key. Did you mean 'scale'?"),
        ({"unit": "h"}, "features.a.unit: input should be 'days'"),
    ],
)
def test_keys_that_say_nothing_are_refused_before_the_data_is_read(keys, message) -> None:
    with pytest.raises(ConfigError, match=message):
        validate({"name": "t", "label": {"column": "y"}, "features": {"a": keys}}, "t.yaml")


def test_a_missing_number_may_be_an_integer() -> None:
    config = validate(
        {"name": "t", "label": {"column": "y"}, "features": {"a": {"missing": 0}}}, "t.yaml"
    )
    assert config.features["a"].missing == 0  # type: ignore[union-attr]


def test_crosses_are_of_the_vocabulary_or_hashed(profile_of) -> None:
    found = infer(
        profile_of(),
        ["town", "paid"],
        ["price", "flag"],
        {"columns": ["town", "price"], "hash_buckets": 64},
        flag={"kind": "boolean"},
    )
    crosses = [(cross.name, cross.hash_buckets) for cross in found.spec.crosses]
    assert crosses == [("town x paid", 0), ("price x flag", 1000), ("town x price", 64)]
    assert found.explanation[-1] == "3 crossed: town x paid, price x flag, town x price"
    slots = [slot.name for slot in found.spec.slots]
    assert slots[-3:] == [name for name, _ in crosses]


@pytest.mark.parametrize(
    ("crosses", "message"),
    [
        ([["town", "piad"]], "town x piad: 'piad' is no input column. Did you mean 'paid'"),
        ([["town", "count"]], "'count' is left out: the configuration says so"),
        ([["town", "flag"]], "'flag' is numeric and has no buckets. .*features.flag.buckets"),
        ([["town", "when"]], "'when' is timestamp; only categorical"),
        ([["town", "paid"], ["paid", "town"]], "paid x town is there twice"),
        ([["town", "y"]], "'y' is no input column"),
    ],
)
def test_crosses_that_do_not_fit_are_refused(profile_of, crosses, message) -> None:
    with pytest.raises(ConfigError, match=message):
        infer(profile_of(), *crosses, count="ignore", when={"kind": "timestamp"})


@pytest.mark.parametrize(
    ("cross", "message"),
    [
        (["a"], "transform.crosses.0.columns: tuple should have at least 2 items"),
        (["a", "a"], "transform.crosses.0: a cross names a column twice"),
        ({"columns": ["a", "b"], "buckets": 3}, "buckets is not a key"),
    ],
)
def test_crosses_are_checked_before_the_data_is_read(cross, message) -> None:
    values = {"name": "t", "label": {"column": "y"}, "transform": {"crosses": [cross]}}
    with pytest.raises(ConfigError, match=message):
        validate(values, "t.yaml")


def _schema(**features: dict[str, Any]) -> schema_pb2.Schema:
    schema = schema_pb2.Schema()
    for name, fields in {"y": {"type": schema_pb2.FLOAT}, **features}.items():
        schema.feature.add(name=name, **fields)
    return schema


def test_the_schema_names_timestamps_and_booleans() -> None:
    domain = schema_pb2.TimeDomain
    schema = _schema(
        plain={"type": schema_pb2.INT},
        a={
            "type": schema_pb2.INT,
            "time_domain": domain(integer_format=domain.UNIX_MILLISECONDS),
        },
        b={"type": schema_pb2.INT, "time_domain": domain()},
        c={"type": schema_pb2.BYTES, "time_domain": domain(string_format="%Y-%m-%d")},
        d={"type": schema_pb2.INT, "bool_domain": schema_pb2.BoolDomain()},
        e={
            "type": schema_pb2.BYTES,
            "bool_domain": schema_pb2.BoolDomain(true_value="Y", false_value="N"),
        },
        f={
            "type": schema_pb2.BYTES,
            "bool_domain": schema_pb2.BoolDomain(true_value="open", false_value="shut"),
        },
    )
    label = Label(column="y", dtype="float", problem="regression")
    found = spec_from_schema(schema, label, crosses=[Cross(columns=("d", "f"))])
    assert {f.name: (f.kind, f.unit) for f in found.spec.features} == {
        "plain": ("numeric", "s"),
        "a": ("timestamp", "ms"),
        "b": ("timestamp", "s"),
        "c": ("timestamp", "s"),
        "d": ("boolean", "s"),
        "e": ("boolean", "s"),
        "f": ("categorical", "s"),
    }
    assert [cross.name for cross in found.spec.crosses] == ["d x f"]

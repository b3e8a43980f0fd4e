"""What a pushed model is asked, as its own files say it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.features import DataSpec, Feature, Label
from components.raw_inputs import MISSING as PIPELINE_MISSING
from components.raw_inputs import raw_inputs
from serving.columns import MISSING, input_names, read_categories, read_columns
from serving.errors import ModelError

names = st.lists(
    st.one_of(
        st.sampled_from(
            ["a b", "A b", "a_b", "A_B", "a-b", "self", "class", "1st", "_x", "é", "a_b_2"]
        ),
        st.text(min_size=1, max_size=6),
    ),
    min_size=1,
    max_size=8,
    unique=True,
)


def spec_of(columns: list[str], **more: str) -> DataSpec:
    features = tuple(Feature(name=name, kind="numeric", dtype="float") for name in columns)
    label = Label(column="the label", dtype="float", problem="regression")
    return DataSpec(features=features, label=label, **more)


@given(names)
def test_inputs_are_named_as_the_pipeline_names_them(columns: list[str]) -> None:
    expected = {feature.name: name for name, feature in raw_inputs(spec_of(columns)).items()}
    assert input_names(columns) == expected


def test_missing_values_are_those_of_the_pipeline() -> None:
    assert MISSING["int"] == PIPELINE_MISSING["int"]
    assert MISSING["bytes"].decode() == PIPELINE_MISSING["bytes"]
    assert MISSING["float"] != MISSING["float"]


def write(version: Path, spec: DataSpec) -> None:
    (version / "assets.extra").mkdir(parents=True)
    (version / "assets.extra" / "data_spec.json").write_text(spec.model_dump_json())


def test_the_columns_are_those_that_a_client_gives(tmp_path: Path) -> None:
    write(tmp_path, spec_of(["a b", "weight", "the label", "a_b"], weight="weight"))
    found = read_columns(tmp_path)
    assert found is not None
    assert {column.name: column.input for column in found.columns} == {"a b": "a_b_2", "a_b": "a_b"}
    assert (found.label, found.problem, found.classes) == ("the label", "regression", ())
    assert found.columns[0].details["buckets"] == 0


def test_a_model_without_the_file_has_no_columns(tmp_path: Path) -> None:
    assert read_columns(tmp_path) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"label": 1}', '{"label": {"column": "x"}}'])
def test_a_damaged_file_is_told_with_its_path(tmp_path: Path, content: str) -> None:
    (tmp_path / "assets.extra").mkdir()
    path = tmp_path / "assets.extra" / "data_spec.json"
    path.write_text(content)
    with pytest.raises(ModelError, match=str(path)):
        read_columns(tmp_path)


def test_categories_are_the_terms_of_the_vocabularies(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    terms = ["pay=Cash", "pay=a=b", "pay=", "x\\=y=1", "=pay x day=Cash|1", "no term", "day=7"]
    (tmp_path / "assets" / "vocabulary").write_text("\n".join(terms))
    (tmp_path / "assets" / "vocabulary_min_5").write_text("zip=60601\n")
    assert read_categories(tmp_path) == {
        "pay": ["Cash", "a=b"],
        "x=y": ["1"],
        "day": ["7"],
        "zip": ["60601"],
    }


def test_the_file_of_the_pipeline_is_read(tmp_path: Path) -> None:
    spec = DataSpec(
        features=(
            Feature(name="when", kind="timestamp", dtype="int", unit="ms"),
            Feature(name="hot", kind="boolean", dtype="bytes"),
            Feature(name="beats", kind="series", dtype="float", length=9),
        ),
        label=Label(column="y", dtype="bytes", problem="binary", classes=("no", "yes")),
    )
    write(tmp_path, spec)
    found = read_columns(tmp_path)
    assert found is not None
    assert json.loads(spec.model_dump_json())["label"]["classes"] == list(found.classes)
    assert [column.kind for column in found.columns] == ["timestamp", "boolean", "series"]
    assert found.columns[0].details["unit"] == "ms"
    assert [column.is_list for column in found.columns] == [False, False, True]


def test_a_name_that_is_taken_in_another_case_gets_a_number() -> None:
    assert input_names(["a_b", "A b"]) == {"a_b": "a_b", "A b": "A_b_2"}
    assert [*raw_inputs(spec_of(["a_b", "A b"]))] == ["a_b", "A_b_2"]

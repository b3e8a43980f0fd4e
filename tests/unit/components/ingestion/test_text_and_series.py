"""Columns of prose and of several numbers, from the cells to the kinds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.errors import ConfigError, DataRejected
from components.features import Feature, Label
from components.ingestion import csv_stream
from components.ingestion.dialect import Dialect
from components.ingestion.profile import Profile, column_types, profile
from components.ingestion.schema_spec import spec_from_schema
from components.ingestion.settings import DataSettings, FeatureOverride
from components.ingestion.shards import Block
from components.ingestion.sources import resolve
from components.ingestion.spec import infer_data_spec
from components.ingestion.splitting import ByContent
from components.ingestion.table_executor import TableReader
from components.ingestion.tables import Table

WORDS = ["the", "film", "was", "not", "at", "all", "bad", "but", "far", "too", "long", "for", "me"]


@pytest.fixture
def profile_of(make_source):
    """Profiles rows that are made by one function a column; the label is `y`."""

    def make(num_rows: int = 100, **columns: Any) -> Profile:
        columns = {**columns, "y": lambda r: r % 2}
        rows = [",".join(str(column(r)) for column in columns.values()) for r in range(num_rows)]
        return profile(make_source("\n".join([",".join(columns), *rows])), "y")

    return make


def review(row: int, length: int = 6) -> str:
    return " ".join([str(row), *(WORDS[(row * step) % len(WORDS)] for step in range(1, length))])


def numbers(row: int, length: int = 5) -> str:
    return " ".join(str(row + step / 2) for step in range(length))


def _features(found: Profile, **overrides: Any) -> dict[str, Feature]:
    made = {
        name: override if override == "ignore" else FeatureOverride.model_validate(override)
        for name, override in overrides.items()
    }
    spec = infer_data_spec(found, "y", made).spec
    return {feature.name: feature for feature in spec.features}


def test_prose_is_text_and_names_and_categories_are_not(profile_of) -> None:
    found = profile_of(
        review=lambda r: review(r),
        name=lambda r: f"Ann Lee {r}",
        motto=lambda r: f"one for all and {'all' if r % 2 else 'two'}",
    )
    inference = infer_data_spec(found, "y")
    assert [(f.name, f.kind, f.length) for f in inference.spec.features] == [
        ("review", "text", 6),
        ("motto", "categorical", 0),
    ]
    assert inference.ignored == (("name", "nearly every row has its own text"),)
    assert inference.explanation[-1] == "1 text: review (the first 6 words)"


def test_the_length_is_that_of_95_of_100_texts_up_to_a_bound(profile_of) -> None:
    found = profile_of(review=lambda r: review(r, 90 if r < 4 else 7))
    assert _features(found)["review"].length == 7
    found = profile_of(review=lambda r: review(r, 300))
    assert _features(found)["review"].length == 256
    assert _features(found, review={"length": 9})["review"].length == 9


def test_any_text_column_can_be_read_as_text(profile_of) -> None:
    found = profile_of(motto=lambda r: f"one for all-{r % 3}")
    assert _features(found)["motto"].kind == "categorical"
    assert _features(found, motto={"kind": "text"})["motto"].length == 4


def test_the_text_of_most_words_is_read_unless_another_is_named(profile_of) -> None:
    found = profile_of(title=lambda r: review(r, 5), body=lambda r: review(r, 9))
    inference = infer_data_spec(found, "y")
    assert inference.ignored == (("title", "a model reads one text column, and 'body' is it"),)
    assert list(_features(found, title={})) == ["title"]
    with pytest.raises(ConfigError, match=r"'title' and 'body' .* are both of the kind text"):
        _features(found, title={}, body={"kind": "text"})


def test_cells_of_several_numbers_are_a_series(profile_of) -> None:
    found = profile_of(
        pulse=lambda r: numbers(r, 4 + r % 3),
        place=lambda r: f"4{r}.5 11.{r}",
        mixed=lambda r: numbers(r) if r else "1 2 x 4 5",
        gaps=lambda r: numbers(r, 7) if r % 9 else "",
    )
    inference = infer_data_spec(found, "y", {"place": "ignore", "mixed": "ignore"})
    assert [(f.name, f.kind, f.dtype, f.length) for f in inference.spec.features] == [
        ("pulse", "series", "float", 7),
        ("gaps", "series", "float", 7),
    ]
    assert found.column("place").list_length == 2
    assert found.column("mixed").list_length == 0
    types = column_types(found, None, inference.spec)
    assert types == {
        "pulse": "floats",
        "gaps": "floats",
        "place": "bytes",
        "mixed": "bytes",
        "y": "int",
    }


def test_short_lists_are_series_where_that_is_said(profile_of) -> None:
    found = profile_of(place=lambda r: f"4{r}.5 11.{r}")
    assert _features(found, place={"kind": "series"})["place"].length == 2


def test_series_have_one_length(profile_of) -> None:
    found = profile_of(a=lambda r: numbers(r, 5), b=lambda r: numbers(r, 8))
    assert {f.length for f in _features(found).values()} == {8}
    assert {f.length for f in _features(found, a={"length": 3}).values()} == {3}
    with pytest.raises(ConfigError, match=r"different lengths \(a: 3, b: 4\)"):
        _features(found, a={"length": 3}, b={"length": 4})


@pytest.mark.parametrize(
    ("name", "override", "message"),
    [
        ("price", {"kind": "image"}, "holds floats, such as '0.0' and cannot be an image"),
        ("review", {"kind": "image"}, r"holds text, such as '0 .*' and cannot be an image"),
        ("price", {"kind": "text"}, "holds floats and cannot be text"),
        ("review", {"kind": "series"}, "holds text and cannot be a series"),
        ("review", {"buckets": 4}, "is text: only a numeric column has buckets"),
        ("price", {"length": 4}, "is numeric: only a text or a series has a length"),
        ("price", {"height": 4, "width": 4}, "is numeric: only an image has height, width"),
        ("pulse", {"channels": 1}, "is series: only an image has height, width"),
        ("pulse", {"kind": "numeric"}, "holds text and cannot be numeric"),
    ],
)
def test_kinds_and_sizes_that_do_not_fit_are_refused(profile_of, name, override, message) -> None:
    found = profile_of(price=lambda r: r / 7, review=review, pulse=numbers)
    with pytest.raises(ConfigError, match=message):
        _features(found, **{name: override})


def _blocks(path: Path) -> Iterator[Block]:
    table = Table("csv", (path,), Dialect())
    [part] = table.parts(path, 1 << 20)
    read = TableReader(table=table, column_types={"a": "int", "v": "floats"})
    return read(part, ByContent((2, 3)))


def test_cells_become_lists_of_floats(write_csv) -> None:
    path = write_csv('a,v\n1,"1 -2.5  3e2"\n2,\n3," nan 7 "\n4,"  "\n')
    records = [row for block, _ in _blocks(path) for row in block]
    found = [tf.train.Example.FromString(record).features.feature["v"] for record in records]
    assert [list(feature.float_list.value) for feature in found[:2]] == [[1, -2.5, 300], []]
    assert list(found[2].float_list.value)[1:] == [7]
    assert [feature.WhichOneof("kind") for feature in found] == [
        "float_list",
        None,
        "float_list",
        None,
    ]
    for record in records:
        example = tf.train.Example.FromString(record)
        assert example.SerializeToString(deterministic=True) == record


def test_a_cell_that_is_no_list_is_found_by_its_line(write_csv) -> None:
    path = write_csv("a,v\n1,1 2 3\n2,4 x 6\n")
    with pytest.raises(DataRejected, match=r"Column 'v' in .*line 3: '4 x 6' does not fit"):
        list(_blocks(path))


SCHEMA = """
feature { name: "y" type: INT }
feature { name: "review" type: BYTES natural_language_domain {} }
feature { name: "motto" type: BYTES domain: "mottos" }
feature { name: "note" type: BYTES }
feature { name: "pulse" type: FLOAT value_count { min: 1 max: 9 } }
feature { name: "ecg" type: FLOAT }
string_domain { name: "mottos" value: "x" }
"""


def test_the_schema_and_then_the_data_say_the_kind(profile_of) -> None:
    found = profile_of(
        review=lambda r: "bad" if r % 2 else "good film",
        motto=lambda r: review(r),
        note=lambda r: review(r, 4),
        pulse=lambda r: numbers(r, 3),
        ecg=lambda r: numbers(r, 9),
    )
    schema = text_format.Parse(SCHEMA, schema_pb2.Schema())
    label = Label(column="y", dtype="int", problem="binary", classes=("0", "1"))
    inference = spec_from_schema(schema, label, {"review": FeatureOverride()}, profile=found)
    assert {f.name: (f.kind, f.length) for f in inference.spec.features} == {
        "review": ("text", 2),
        "motto": ("categorical", 0),
        "pulse": ("series", 9),
        "ecg": ("series", 9),
    }


def test_the_builtin_trips_have_neither_text_nor_series() -> None:
    found = profile(resolve(DataSettings()), "tips")
    kinds = {feature.kind for feature in infer_data_spec(found, "tips").spec.features}
    assert kinds == {"numeric", "categorical"}


def test_all_blocks_decide_on_a_series(write_csv, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"{r % 2},{numbers(r, 4)}" for r in range(2000)]
    text = "\n".join(["y,v", *lines, "1,1 2 3 4 5 6 7"]) + "\n"
    monkeypatch.setitem(csv_stream.read_batches.__kwdefaults__, "block_bytes", 4096)
    found = profile(resolve(DataSettings(path=str(write_csv(text)))), "y")
    assert found.column("v").list_length == 7
    spoiled = profile(resolve(DataSettings(path=str(write_csv(text + "1,x\n")))), "y")
    assert spoiled.column("v").list_length == 0

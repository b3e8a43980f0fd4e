from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from components.errors import ConfigError, DataRejected
from components.features import Label
from components.ingestion import weights
from components.ingestion.profile import profile
from components.ingestion.schema_spec import read_schema, spec_from_schema
from components.ingestion.settings import DataSettings, FeatureOverride
from components.ingestion.sources import Source, resolve
from components.ingestion.spec import infer_data_spec


def _check(source: Source) -> None:
    weights.check(source, profile(source, "y").column("w"))


def _csv(*cells: str) -> str:
    return "a,w,y\n" + "".join(f"{i},{cell},{i % 2}\n" for i, cell in enumerate(cells))


@pytest.mark.parametrize("cells", [("1", "0", "2"), ("0.5", "", "2e3"), ("0", "", "0")])
def test_numbers_from_zero_up_and_gaps_are_weights(make_source, cells: tuple[str, ...]) -> None:
    _check(make_source(_csv(*cells)))


@pytest.mark.parametrize("cell", ["-1", "-0.5", "nan", "inf"])
def test_a_wrong_weight_is_named_with_its_line(make_source, cell: str) -> None:
    with pytest.raises(DataRejected, match=rf"'w' in .*trips\.csv, line 4: '{cell}' is not a fin"):
        _check(make_source(_csv("1", "", cell, "-9")))


def test_a_wrong_weight_is_named_with_its_record(tmp_path: Path) -> None:
    path = tmp_path / "part.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for index in range(9):
            example = tf.train.Example()
            example.features.feature["y"].int64_list.value.append(index % 2)
            example.features.feature["w"].float_list.value.append(3.0 - index)
            writer.write(example.SerializeToString())
    with pytest.raises(DataRejected, match=r"'w' in .*part\.tfrecord, record 5: -1\.0 is not"):
        _check(resolve(DataSettings(path=str(path))))


def test_text_is_no_weight(make_source) -> None:
    with pytest.raises(ConfigError, match=r"label\.weight: the column 'w' holds text, such as 'x'"):
        _check(make_source(_csv("x", "1", "2")))


def test_weights_that_are_all_zero_count_nothing(make_source) -> None:
    with pytest.raises(DataRejected, match="is 0 in every row"):
        _check(make_source(_csv("0", "0", "0.0")))


def test_the_weight_is_no_input(make_source) -> None:
    rows = "".join(f"{i * i},{i % 7},{i % 2}\n" for i in range(50))
    found = profile(make_source(f"a,w,y\n{rows}"), "y")
    spec = infer_data_spec(found, "y", weight="w").spec
    assert [feature.name for feature in spec.features] == ["a"]
    assert spec.weight == "w"
    with pytest.raises(ConfigError, match="'w', which is the weight of the rows"):
        infer_data_spec(found, "y", {"w": FeatureOverride()}, weight="w")
    with pytest.raises(ConfigError, match=r"label\.weight names 'y', which is the label"):
        infer_data_spec(found, "y", weight="y")


def test_the_weight_of_a_schema_is_no_input_either() -> None:
    schema = read_schema(Path(__file__).parents[4] / "schemas/taxi/schema.pbtxt")
    label = Label(column="tips", dtype="float", problem="regression")
    spec = spec_from_schema(schema, label, weight="fare").spec
    assert "fare" not in {feature.name for feature in spec.features}
    assert spec.weight == "fare"
    with pytest.raises(ConfigError, match=r"'fair', which is not in the schema\. Did you mean"):
        spec_from_schema(schema, label, weight="fair")

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from components.errors import ConfigError, DataRejected
from components.ingestion import tfrecord
from components.ingestion.profile import profile, profile_tfrecord
from components.ingestion.settings import DataSettings
from components.ingestion.sources import Source, resolve
from components.ingestion.spec import infer_data_spec


def _example(**values: list) -> bytes:
    kinds = {
        int: lambda v: tf.train.Feature(int64_list=tf.train.Int64List(value=v)),
        float: lambda v: tf.train.Feature(float_list=tf.train.FloatList(value=v)),
        bytes: lambda v: tf.train.Feature(bytes_list=tf.train.BytesList(value=v)),
    }
    features = {
        name: kinds[type(value[0])](value) if value else tf.train.Feature()
        for name, value in values.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


@pytest.fixture
def make_records(tmp_path: Path):
    def make(*records: bytes, compression: str = "GZIP") -> Source:
        path = tmp_path / "data.tfrecord"
        with tf.io.TFRecordWriter(str(path), compression) as writer:
            for record in records:
                writer.write(record)
        return resolve(DataSettings(path=str(path)))

    return make


@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_describes_the_features(make_records, compression: str) -> None:
    source = make_records(
        _example(i=[3], f=[0.5], b=[b"5"], y=[0]),
        _example(i=[-1], f=[], y=[1], late=[1.0]),
        _example(i=[2], f=[1.5], b=[b"x"], y=[1]),
        compression=compression,
    )
    found = profile(source, "y")
    described = {c.name: (c.dtype, c.num_missing, c.minimum, c.maximum) for c in found.columns}
    assert described == {
        "b": ("bytes", 1, None, None),
        "f": ("float", 1, 0.5, 1.5),
        "i": ("int", 0, -1, 3),
        "late": ("float", 2, 1.0, 1.0),
        "y": ("int", 0, 0, 1),
    }
    assert found.label_counts == (("0", 1), ("1", 2))
    assert (found.num_rows, found.whole) == (3, True)


def test_reads_no_more_than_the_sample(make_records) -> None:
    source = make_records(*[_example(a=[index], y=[index % 2]) for index in range(10)])
    found = profile_tfrecord(source, "y", max_records=4)
    assert (found.num_rows, found.whole) == (4, False)
    assert "of the first 4 records" in infer_data_spec(found, "y", {}).explanation[0]
    assert profile_tfrecord(source, "y", max_records=10).whole


def test_a_feature_of_several_texts_is_no_input(make_records) -> None:
    source = make_records(*[_example(a=[i / 3], v=[b"x", b"y"], y=[i % 2]) for i in range(50)])
    inference = infer_data_spec(profile(source, "y"), "y")
    assert inference.ignored == (("v", "a record has up to 2 texts"),)


def test_a_feature_of_several_numbers_is_a_series(make_records) -> None:
    source = make_records(
        *[_example(a=[i / 3], f=[1.0] * (i % 4), i=[i] * 7, y=[i % 2]) for i in range(50)]
    )
    inference = infer_data_spec(profile(source, "y"), "y")
    assert [(f.name, f.kind, f.dtype, f.length) for f in inference.spec.features] == [
        ("a", "numeric", "float", 0),
        ("f", "series", "float", 7),
        ("i", "series", "int", 7),
    ]
    assert inference.explanation[-1] == "2 series: f, i (the first 7 values)"


def test_penguins_have_three_species() -> None:
    found = profile(resolve(DataSettings(path="builtin:penguin")), "species")
    spec = infer_data_spec(found, "species").spec
    assert spec.label.classes == ("0", "1", "2")
    assert {(f.kind, f.buckets) for f in spec.features} == {("numeric", 10)}
    assert found.num_rows == 334


def test_an_unknown_label_names_the_nearest_feature() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'species'"):
        profile(resolve(DataSettings(path="builtin:penguin")), "specie")


@pytest.mark.parametrize("record", [b"\xff\xff\xff", b"hello"])
def test_rejects_records_that_are_no_examples(make_records, record: bytes) -> None:
    with pytest.raises(DataRejected, match=r"not a tf\.Example"):
        profile(make_records(record))


def test_rejects_a_file_without_records(make_records) -> None:
    with pytest.raises(DataRejected, match="holds no records"):
        profile(make_records())


@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_rejects_a_truncated_file(make_records, compression: str) -> None:
    source = make_records(*[_example(a=[i]) for i in range(100)], compression=compression)
    file = source.files[0]
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(DataRejected, match=r"ends within it|damaged file"):
        list(tfrecord.read_records(file))


def test_rejects_text_that_is_called_tfrecord(tmp_path: Path) -> None:
    file = tmp_path / "data.tfrecord"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(DataRejected, match="it does not start with a length"):
        profile(resolve(DataSettings(path=str(file))))

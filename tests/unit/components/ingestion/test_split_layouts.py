"""ExampleGen with keys, times and folders as splits, run by TFX."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from components.errors import ConfigError, DataRejected
from components.ingestion import split_settings
from components.ingestion.profile import profile
from components.ingestion.settings import DataSettings
from components.ingestion.sources import resolve
from tests.unit.components.ingestion.pictures import write_folders
from tests.unit.components.ingestion.test_example_gen import Run, _records

TABLE = "customer,when,amount\n" + "".join(
    f"{f'c{row % 40}' if row % 9 else ''},{1000 + row // 2},{row / 7}\n" for row in range(400)
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def _values(uri: str, split: str, name: str) -> list:
    found = []
    for record in _records(uri, split):
        feature = tf.train.Example.FromString(record).features.feature[name]
        kind = feature.WhichOneof("kind")
        found.append(getattr(feature, kind).value[0] if kind else None)
    return found


def _as_parquet(path: Path) -> Path:
    target = path.with_suffix(".parquet")
    options = arrow_csv.ConvertOptions(strings_can_be_null=True)
    pq.write_table(arrow_csv.read_csv(path, convert_options=options), target, row_group_size=50)
    return target


def test_a_customer_is_in_one_split_the_same_for_csv_parquet_and_tfrecord(
    run: Run, write_csv, tmp_path: Path
) -> None:
    path = write_csv(TABLE)
    records = tmp_path / "t.tfrecord"
    uri = run(path, split_key="customer")[-1].uri
    with tf.io.TFRecordWriter(str(records)) as writer:
        for record in _records(uri, "train") + _records(uri, "eval"):
            writer.write(record)
    splits = []
    for source in (path, _as_parquet(path), records):
        uri = run(source, split_key="customer")[-1].uri
        train, held = (_values(uri, split, "customer") for split in ("train", "eval"))
        assert len(train) + len(held) == 400
        assert None not in held
        assert not set(train) & set(held)
        splits.append((sorted(filter(None, train)), sorted(held)))
    assert splits[0] == splits[1] == splits[2]
    assert len(set(splits[0][1])) > 5


@pytest.mark.parametrize("time", [{"share": 0.2}, {"eval_from": 1160}])
def test_eval_is_later_whatever_the_format(run: Run, write_csv, time: dict) -> None:
    path = write_csv(TABLE)
    for source in (path, _as_parquet(path)):
        uri = run(source, split_time={"column": "when", **time})[-1].uri
        train, held = (_values(uri, split, "when") for split in ("train", "eval"))
        assert (min(held), max(train)) == (1160, 1159)
        assert len(held) == 80


def test_a_time_that_leaves_a_split_empty_is_rejected(run: Run, write_csv) -> None:
    with pytest.raises(DataRejected, match=r"split 'eval': there are 400 rows, split where 'when'"):
        run(write_csv(TABLE), split_time={"column": "when", "eval_from": 9_999})
    with pytest.raises(DataRejected, match=r"split 'eval': .* hash of 'k' \(data\.split_key\)"):
        run(write_csv("k,a\n" + "x,1\nx,2\n" * 9), split_key="k")


def test_folders_are_splits(run: Run, write_csv) -> None:
    write_csv("a,b\n1,x\n2,y\n", "d/train/1.csv")
    write_csv("b,a\nz,3\n", "d/train/2.csv")
    write_csv("a,b\n4,x\n", "d/eval/1.csv")
    folder = write_csv("a,b\n5,x\n6,y\n", "d/test/1.csv").parents[1]
    artifact = run(folder)[-1]
    found = {split: _values(artifact.uri, split, "a") for split in ("train", "eval", "test")}
    assert found == {"train": [1, 2, 3], "eval": [4], "test": [5, 6]}
    assert artifact.properties["split_names"].string_value == '["train", "eval", "test"]'
    assert artifact.custom_properties["num_rows_test"].int_value == 2
    source = resolve(DataSettings(path=str(folder)))
    assert artifact.custom_properties["input_fingerprint"].string_value == source.content_hash


def test_a_row_may_be_in_two_folders_but_a_folder_not_without_rows(run: Run, write_csv) -> None:
    write_csv("a\n1\n", "d/train/1.csv")
    folder = write_csv("a\n", "d/eval/1.csv").parents[1]
    with pytest.raises(DataRejected, match=r"split 'eval': .* split by the folders"):
        run(folder)
    (folder / "eval" / "1.csv").unlink()
    with pytest.raises(ConfigError, match=r"d/eval \(data\.path\) holds no data file"):
        resolve(DataSettings(path=str(folder)))


def test_class_folders_in_split_folders(run: Run, tmp_path: Path) -> None:
    write_folders(tmp_path / "photos" / "train", count=3)
    write_folders(tmp_path / "photos" / "eval", count=2)
    uri = run(tmp_path / "photos")[-1].uri
    assert sorted(_values(uri, "train", "label")) == [b"cat"] * 3 + [b"dog"] * 3
    assert sorted(_values(uri, "eval", "path"))[0] == b"cat/00.png"


def test_classes_called_train_and_eval_stay_classes(run: Run, tmp_path: Path) -> None:
    folder = write_folders(tmp_path / "photos", classes=("train", "eval"))
    uri = run(folder)[-1].uri
    labels = _values(uri, "train", "label") + _values(uri, "eval", "label")
    assert sorted(labels) == [b"eval"] * 15 + [b"train"] * 15


@pytest.mark.parametrize("other", ["d/more.csv", "d/val/1.csv"])
def test_anything_beside_the_folders_makes_them_no_splits(write_csv, other: str) -> None:
    write_csv("a\n1\n", "d/train/1.csv")
    write_csv("a\n1\n", "d/eval/1.csv")
    write_csv("a\n1\n", other)
    folder = write_csv("x", "d/.hidden").parent
    if other == "d/more.csv":
        assert [name for name, _ in resolve(DataSettings(path=str(folder))).patterns] == ["all"]
    else:
        with pytest.raises(ConfigError, match="holds no data file"):
            resolve(DataSettings(path=str(folder)))


def test_train_and_test_alone_are_explained(write_csv) -> None:
    write_csv("a\n1\n", "d/train/1.csv")
    folder = write_csv("a\n1\n", "d/test/1.csv").parents[1]
    with pytest.raises(ConfigError, match="is called eval: rename test"):
        resolve(DataSettings(path=str(folder)))


def test_folders_and_another_split_are_refused(write_csv) -> None:
    write_csv("a,k\n1,x\n", "d/train/1.csv")
    folder = write_csv("a,k\n1,y\n", "d/eval/1.csv").parents[1]
    for said in ({"split_key": "k"}, {"splits": {"train": 4}}):
        settings = DataSettings.model_validate({"path": str(folder), **said})
        source = resolve(settings)
        with pytest.raises(ConfigError, match=r"the folders train, eval of .* are the splits"):
            split_settings.check(settings, source, profile(source))


def test_parquet_folders_are_splits(run: Run, tmp_path: Path) -> None:
    for split, rows in (("train", [1, 2]), ("eval", [3])):
        (tmp_path / "d" / split).mkdir(parents=True)
        pq.write_table(pa.table({"a": rows}), tmp_path / "d" / split / "x.parquet")
    uri = run(tmp_path / "d")[-1].uri
    assert _values(uri, "eval", "a") == [3]

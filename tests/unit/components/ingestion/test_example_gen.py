"""The built node, run by TFX's own local runner."""

from __future__ import annotations

import gzip
import os
from collections import Counter
from pathlib import Path

import pytest
import tensorflow as tf
from tfx.components.example_gen import base_example_gen_executor
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local import local_dag_runner
from tfx.proto import example_gen_pb2

from components.errors import DataRejected
from components.ingestion import component, table_executor
from components.ingestion.profile import column_types, profile
from components.ingestion.settings import DataSettings
from components.ingestion.sources import resolve

ROWS = "".join(f"{row},{row / 4},name {row % 5}\n" for row in range(300))
CSV = "id,x,name\n" + ROWS


class Run:
    """Runs a pipeline of nothing but ExampleGen and reads back what it made."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.connection = metadata.sqlite_metadata_connection_config(str(root / "metadata.db"))

    def __call__(self, path: Path | str, **settings: object) -> list:
        """Returns the Examples artifacts of the store, oldest first."""
        data = DataSettings.model_validate({"path": str(path), **settings})
        source = resolve(data)
        node = component.build(data, source, column_types(profile(source)))
        local_dag_runner.LocalDagRunner().run(
            pipeline.Pipeline(
                pipeline_name="ingestion",
                pipeline_root=str(self.root / "root"),
                components=[node],
                enable_cache=True,
                metadata_connection_config=self.connection,
            )
        )
        with metadata.Metadata(self.connection) as store:
            return store.store.get_artifacts_by_type("Examples")


def _records(uri: str, split: str) -> list[bytes]:
    files = sorted(Path(uri, f"Split-{split}").iterdir())
    dataset = tf.data.TFRecordDataset([str(file) for file in files], "GZIP")
    return [record.numpy() for record in dataset]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_writes_splits_as_stock_does_and_describes_them(run: Run, write_csv) -> None:
    artifacts = run(write_csv(CSV))
    assert len(artifacts) == 1
    uri, properties = artifacts[0].uri, artifacts[0].custom_properties
    files = sorted(str(file.relative_to(uri)) for file in Path(uri).rglob("*") if file.is_file())
    assert files == [
        "Split-eval/data_tfrecord-00000-of-00001.gz",
        "Split-train/data_tfrecord-00000-of-00001.gz",
    ]
    train, evaluation = _records(uri, "train"), _records(uri, "eval")
    config = example_gen_pb2.SplitConfig()
    for index, records in enumerate((train, evaluation)):
        for record in records:
            example = tf.train.Example.FromString(record)
            assert base_example_gen_executor._PartitionFn(example, 2, [2, 3], config) == index
    ids = [
        tf.train.Example.FromString(record).features.feature["id"].int64_list.value[0]
        for record in train + evaluation
    ]
    assert sorted(ids) == list(range(300))
    assert properties["num_rows_train"].int_value == len(train)
    assert properties["num_rows_eval"].int_value == len(evaluation)
    assert properties["num_bytes"].int_value == sum(Path(uri, f).stat().st_size for f in files)
    assert properties["payload_format"].string_value == "FORMAT_TF_EXAMPLE"
    assert properties["file_format"].string_value == "tfrecords_gzip"


def test_touching_a_file_runs_nothing_and_editing_it_runs_again(run: Run, write_csv) -> None:
    path = write_csv(CSV)
    run(path)
    os.utime(path, (1, 1))
    assert len(run(path)) == 1
    before = path.stat()
    path.write_text(CSV.replace("name 3", "name 9"))
    os.utime(path, (before.st_atime, before.st_mtime))
    assert path.stat().st_size == before.st_size
    assert len(run(path)) == 2


def test_other_splits_or_types_run_again(run: Run, write_csv) -> None:
    path = write_csv(CSV)
    run(path)
    artifacts = run(path, splits={"train": 9, "eval": 1})
    assert len(artifacts) == 2
    assert artifacts[1].custom_properties["num_rows_train"].int_value > 240


def test_a_folder_becomes_a_shard_a_file(run: Run, write_csv) -> None:
    write_csv(CSV, "data/1.csv")
    write_csv("id,x,name\n300,1.5,last\n", "data/2.csv")
    path = write_csv(gzip.compress(b'id,x,name\n301,1.5,"very\nlast"\n'), "data/3.csv.gz")
    uri = run(path.parent)[0].uri
    names = [file.name for file in sorted(Path(uri, "Split-train").iterdir())]
    assert names == [f"data_tfrecord-{shard:05d}-of-00003.gz" for shard in range(3)]
    assert len(_records(uri, "train")) + len(_records(uri, "eval")) == 302


def test_sections_of_a_file_make_the_same_rows(
    run: Run, write_csv, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_csv(CSV)
    whole = run(path)[0].uri
    monkeypatch.setattr(table_executor, "SECTION_BYTES", 1000)
    path.rename(path.with_name("again.csv"))
    parts = run(path.with_name("again.csv"))[1].uri
    assert len(list(Path(parts, "Split-eval").iterdir())) > 3
    for split in ("train", "eval"):
        assert Counter(_records(parts, split)) == Counter(_records(whole, split))


def test_a_split_without_rows_is_rejected(run: Run, write_csv) -> None:
    with pytest.raises(DataRejected, match=r"No row of .* falls into the split"):
        run(write_csv("a,b\n1,2\n"))


def test_rows_that_no_longer_fit_their_types_are_rejected(
    run: Run, write_csv, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_csv(CSV + '300,abc,"two\nlines"\n301,0.5,x\n')
    types = {"id": "int", "x": "float", "name": "bytes"}
    monkeypatch.setattr(f"{__name__}.column_types", lambda found: types)
    with pytest.raises(DataRejected, match=r"Column 'x' in .*line 302: 'abc' does not fit .*float"):
        run(path)
    assert not list((run.root / "root").rglob("data_tfrecord*"))


def test_columns_that_changed_are_rejected(
    run: Run, write_csv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.column_types", lambda found: {"id": "int", "y": "int"})
    with pytest.raises(DataRejected, match="the pipeline was made for id, y"):
        run(write_csv(CSV))


def test_tfrecords_are_imported_and_fingerprinted_by_content(run: Run) -> None:
    artifacts = run("builtin:penguin")
    uri = artifacts[0].uri
    assert len(_records(uri, "train")) + len(_records(uri, "eval")) == 334
    fingerprint = artifacts[0].custom_properties["input_fingerprint"].string_value
    assert fingerprint == resolve(DataSettings(path="builtin:penguin")).content_hash


@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_tfrecords_are_read_whatever_their_names_and_split_as_stock_does(
    run: Run, tmp_path: Path, compression: str
) -> None:
    path = tmp_path / "[a]*" / "part.tfrecord"
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for index in range(60):
            example = tf.train.Example()
            example.features.feature["z"].int64_list.value.append(index)
            example.features.feature["a"].float_list.value.append(index / 3)
            writer.write(example.SerializeToString())
    uri = run(path)[0].uri
    config = example_gen_pb2.SplitConfig()
    seen = []
    for index, split in enumerate(("train", "eval")):
        for record in _records(uri, split):
            example = tf.train.Example.FromString(record)
            assert base_example_gen_executor._PartitionFn(example, 2, [2, 3], config) == index
            seen += example.features.feature["z"].int64_list.value
    assert sorted(seen) == list(range(60))


def test_a_damaged_record_is_named(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "part.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for index in range(60):
            example = tf.train.Example()
            example.features.feature["a"].float_list.value.append(index)
            writer.write(example.SerializeToString())
    content = bytearray(path.read_bytes())
    size = len(content) // 60
    content[size * 42 - 5] ^= 1  # in the value, which any bytes are
    path.write_bytes(bytes(content))
    with pytest.raises(DataRejected, match=r"part\.tfrecord, record 42: its checksum is wrong"):
        run(path)


def test_the_output_is_the_same_bytes_every_time(run: Run, write_csv) -> None:
    first = run(write_csv(CSV))[0].uri
    second = run(write_csv(CSV, "elsewhere/trips.csv"))[1].uri
    for split in ("train", "eval"):
        name = f"Split-{split}/data_tfrecord-00000-of-00001.gz"
        assert Path(first, name).read_bytes() == Path(second, name).read_bytes()

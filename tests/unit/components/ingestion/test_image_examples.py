"""ExampleGen for images, run by TFX's own local runner."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local import local_dag_runner

from components.errors import DataRejected
from components.ingestion import component, executor
from components.ingestion.profile import column_types, profile
from components.ingestion.settings import DataSettings
from components.ingestion.sources import resolve
from components.ingestion.spec import infer_data_spec
from tests.unit.components.ingestion.pictures import picture, write_folders


def generate(path: Path, root: Path, label: str = "label") -> dict[str, list[tf.train.Example]]:
    """The examples of each split that a pipeline of nothing but ExampleGen writes."""
    data = DataSettings(path=str(path))
    source = resolve(data)
    found = profile(source, label)
    types = column_types(found, None, infer_data_spec(found, label).spec)
    connection = metadata.sqlite_metadata_connection_config(str(root / "metadata.db"))
    local_dag_runner.LocalDagRunner().run(
        pipeline.Pipeline(
            pipeline_name="images",
            pipeline_root=str(root / "root"),
            components=[component.build(data, source, types)],
            metadata_connection_config=connection,
        )
    )
    with metadata.Metadata(connection) as store:
        uri = store.store.get_artifacts_by_type("Examples")[-1].uri
    return {split: _examples(Path(uri, f"Split-{split}")) for split in ("train", "eval")}


def _examples(split: Path) -> list[tf.train.Example]:
    files = [str(file) for file in sorted(split.iterdir())]
    records = tf.data.TFRecordDataset(files, "GZIP")
    return [tf.train.Example.FromString(record.numpy()) for record in records]


def _value(example: tf.train.Example, name: str) -> bytes:
    return example.features.feature[name].bytes_list.value[0]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_folders(tmp_path / "photos")


def test_files_become_examples_byte_by_byte_all_classes_mixed(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = generate(photos, tmp_path / "whole")
    examples = whole["train"] + whole["eval"]
    assert {_value(e, "path").decode() for e in examples} == {
        f"{file.parent.name}/{file.name}" for file in photos.glob("*/*.png")
    }
    for example in examples:
        assert set(example.features.feature) == {"image", "label", "path"}
        file = photos / _value(example, "path").decode()
        assert _value(example, "image") == file.read_bytes()
        assert _value(example, "label").decode() == file.parent.name
    first = [_value(example, "label") for example in whole["train"][:10]]
    assert set(first) == {b"cat", b"dog"}, "a window of the shuffle must see all classes"

    monkeypatch.setattr(executor, "SECTION_BYTES", 500)
    parts = generate(photos, tmp_path / "parts")
    for split in ("train", "eval"):
        assert sorted(e.SerializeToString(deterministic=True) for e in parts[split]) == sorted(
            e.SerializeToString(deterministic=True) for e in whole[split]
        )


@pytest.mark.parametrize("encoding", ["png", "jpeg", "gif", "bmp"])
def test_a_truncated_image_is_named(photos: Path, tmp_path: Path, encoding: str) -> None:
    content = picture(encoding, size=(60, 60))
    (photos / f"dog/half.{encoding}").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataRejected, match=rf"dog/half\.{encoding}: the image .* truncated"):
        generate(photos, tmp_path)


@pytest.fixture
def records(tmp_path: Path):
    def write(*images: bytes, name: str = "part.tfrecord") -> Path:
        path = tmp_path / "records" / name
        path.parent.mkdir(exist_ok=True)
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for index, image in enumerate(images):
                example = tf.train.Example()
                example.features.feature["img"].bytes_list.value.append(image)
                example.features.feature["y"].int64_list.value.append(index % 2)
                if not image:
                    del example.features.feature["img"]
                writer.write(example.SerializeToString())
        return path.parent

    return write


def test_records_of_images_are_told_by_their_bytes(records, tmp_path: Path) -> None:
    images = [picture("jpeg", seed=seed, size=(9, 7)) for seed in range(20)] + [b""]
    path = records(*images)
    found = profile(resolve(DataSettings(path=str(path))), "y")
    [feature] = infer_data_spec(found, "y").spec.features
    assert (feature.kind, feature.height, feature.width, feature.channels) == ("image", 9, 7, 3)
    assert found.column("img").num_missing == 1
    splits = generate(path, tmp_path, "y")
    examples = splits["train"] + splits["eval"]
    assert len(examples) == 21
    assert sum("img" in example.features.feature for example in examples) == 20


def test_a_record_that_is_no_image_is_named(records) -> None:
    path = records(picture(), picture(), b"hello")
    found = profile(resolve(DataSettings(path=str(path))), "y")
    with pytest.raises(DataRejected, match=r"'img' in .*part\.tfrecord, record 3: it starts with"):
        infer_data_spec(found, "y")


def test_a_record_that_does_not_decode_is_named(records, tmp_path: Path) -> None:
    records(*[picture(seed=seed) for seed in range(5)], name="a.tfrecord")
    path = records(picture(), picture(size=(90, 90))[:5000], name="b.tfrecord")
    with pytest.raises(DataRejected, match=r"'img' in .*b\.tfrecord, record 2: the image of 5,000"):
        generate(path, tmp_path, "y")

"""The executors of ExampleGen for folders of images and TFRecords."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import tensorflow as tf
from google.protobuf.message import DecodeError

from components.errors import ConfigError, DataRejected
from components.ingestion import decoding, image_folder, tfrecord
from components.ingestion.reading import Inputs
from components.ingestion.shards import Block, Read, Shard, ShardsExecutor
from components.ingestion.splitting import Splitter

SECTION_BYTES = 256 << 20
_BLOCK_BYTES = 4 << 20
_TIMES_IN_BLOCK = 65_536


class ImageFolderExecutor(ShardsExecutor):
    """Reads a folder of class folders of images, each of which must decode."""

    def plan(self, inputs: Inputs) -> tuple[Read, Sequence[Shard]]:
        """Divides the files, all classes mixed, into sections of bounded size."""
        shards: list[Shard] = []
        for split in dict.fromkeys(split for split, _ in inputs.files):
            files = [file for of, file in inputs.files if of == split]
            folder = inputs.base_dir if split is None else inputs.base_dir / inputs.splits[split]
            image_folder.check(folder, files)
            sections: list[list[Path]] = [[]]
            num_bytes = 0
            for file in image_folder.shuffled(files):
                if num_bytes >= SECTION_BYTES:
                    sections.append([])
                    num_bytes = 0
                sections[-1].append(file)
                num_bytes += file.stat().st_size
            shards += [Shard(section, split) for section in sections]
        return read_images, shards

    def times(self, inputs: Inputs, column: str) -> Iterator[pa.Array]:
        """Raises ConfigError: files of images have no times."""
        raise ConfigError(
            f"data.split_time.share: the images in {inputs.base_dir} have no times. Give eval_from."
        )


def read_images(files: Sequence[Path], splitter: Splitter) -> Iterator[Block]:
    """The serialized examples of image files, some at a time.

    Raises:
        DataRejected: a file cannot be read or decoded.
    """
    records: list[bytes] = []
    splits: list[int] = []
    num_bytes = 0
    for file in files:
        example = _image_example(file)
        records.append(example.SerializeToString(deterministic=True))
        splits.append(splitter.of_example(example.features.feature, records[-1]))
        num_bytes += len(records[-1])
        if num_bytes >= _BLOCK_BYTES:
            yield records, splits
            records, splits, num_bytes = [], [], 0
    yield records, splits


def _image_example(file: Path) -> Any:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataRejected(f"{file} cannot be read: {error.strerror}.") from error
    if not content:
        raise DataRejected(f"{file} is empty. Remove it, or save the image again.")
    decoding.check(content, str(file))
    example = tf.train.Example()
    for name, value in (
        (image_folder.IMAGE, content),
        (image_folder.LABEL, image_folder.class_of(file).encode()),
        (image_folder.PATH, image_folder.path_value(file)),
    ):
        example.features.feature[name].bytes_list.value.append(value)
    return example


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordReader:
    """Reads TFRecord files of tf.Example.

    Attributes:
        images: the columns of images, each of which must decode.
    """

    images: tuple[str, ...]

    def __call__(self, file: Path, splitter: Splitter) -> Iterator[Block]:
        """The serialized examples, some at a time.

        Raises:
            DataRejected: a record is damaged, or an image in it cannot be decoded.
        """
        compression = "GZIP" if tfrecord.is_gzip(file) else ""
        found = tf.data.TFRecordDataset(str(file), compression).as_numpy_iterator()
        records: list[bytes] = []
        splits: list[int] = []
        num_read = num_bytes = 0
        try:
            for record in found:
                num_read += 1
                example = self._example(record, f"{file}, record {num_read}")
                # The split depends on the bytes, which must not depend on who wrote the record.
                records.append(example.SerializeToString(deterministic=True))
                splits.append(splitter.of_example(example.features.feature, records[-1]))
                num_bytes += len(record)
                if num_bytes >= _BLOCK_BYTES:
                    yield records, splits
                    records, splits, num_bytes = [], [], 0
        except tf.errors.DataLossError as error:
            raise DataRejected(
                f"{file}, record {num_read + 1}: its checksum is wrong, or the file ends within "
                "it. Write the file again."
            ) from error
        yield records, splits

    def _example(self, record: bytes, place: str) -> Any:
        try:
            example = tf.train.Example.FromString(record)
        except DecodeError as error:
            raise DataRejected(f"{place} is not a tf.Example: {record[:40]!r}.") from error
        features = example.features.feature
        for name in self.images:
            for value in features[name].bytes_list.value if name in features else ():
                decoding.check(value, f"Column {name!r} in {place}")
        return example


class RecordExecutor(ShardsExecutor):
    """Reads TFRecords; the rows and their splits are those of TFX's ImportExampleGen."""

    def plan(self, inputs: Inputs) -> tuple[Read, Sequence[Shard]]:
        """A section is a file."""
        types = inputs.reading.column_types
        images = tuple(name for name, dtype in types.items() if dtype == "image")
        return RecordReader(images=images), [
            Shard(file, split, file) for split, file in inputs.files
        ]

    def times(self, inputs: Inputs, column: str) -> Iterator[pa.Array]:
        """See `ShardsExecutor`."""
        dtype = inputs.reading.column_types[column]
        arrow_type = {"int": pa.int64(), "float": pa.float64()}.get(dtype, pa.string())
        block: list[Any] = []
        for _, file in inputs.files:
            for record in tfrecord.read_records(file):
                value = tfrecord.first_value(record, column)
                is_text = isinstance(value, bytes)
                block.append(value.decode("utf-8", "replace") if is_text else value)
                if len(block) == _TIMES_IN_BLOCK:
                    yield pa.array(block, arrow_type)
                    block = []
        yield pa.array(block, arrow_type)

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.errors import DataRejected, NodeFailed
from components.training import data
from components.training.data import CachedWindows, Split, StreamedWindows, open_windows

FEATURE_SPEC = {
    "numeric": tf.io.FixedLenFeature([2], tf.float32),
    "categorical": tf.io.FixedLenFeature([1], tf.int64),
    "label": tf.io.FixedLenFeature([], tf.int64),
}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "CHUNK_ROWS", 10)


def write(path: Path, ids: range, label: int = 1) -> None:
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for number in ids:
            example = tf.train.Example()
            example.features.feature["numeric"].float_list.value[:] = [number, 0.5]
            example.features.feature["categorical"].int64_list.value[:] = [number]
            example.features.feature["label"].int64_list.value[:] = [label]
            writer.write(example.SerializeToString())


@pytest.fixture
def split(tmp_path: Path) -> Split:
    """75 rows in three files; their ids are 0 to 74."""
    for number in range(3):
        write(tmp_path / f"part-{number}.gz", range(number * 25, number * 25 + 25))
    return Split.matching([str(tmp_path / "*.gz")], FEATURE_SPEC, num_classes=2)


def ids(windows: data.Windows, epoch: int, first: int = 0) -> list[list[int]]:
    return [rows["categorical"][:, 0].tolist() for rows in windows.epoch(epoch, first=first)]


def test_rows_are_parsed_in_the_types_that_the_model_computes_with(split: Split) -> None:
    chunk = next(split.chunks())
    assert {name: (c.dtype, c.shape) for name, c in chunk.items()} == {
        "numeric": (np.float32, (10, 2)),
        "categorical": (np.int32, (10, 1)),
        "label": (np.int32, (10,)),
    }
    np.testing.assert_array_equal(chunk["numeric"][:3, 0], [0, 1, 2])


def test_rows_that_fit_are_kept_in_memory(split: Split) -> None:
    windows = open_windows(split, cache_bytes=75 * 16, shuffle_rows=10, seed=0)
    assert isinstance(windows, CachedWindows)
    assert ids(windows, 0) == ids(windows, 1) == [list(range(75))]
    assert ids(windows, 0, first=1) == []


@pytest.mark.parametrize("cache_bytes", [0, 75 * 16 - 1])
def test_rows_that_do_not_fit_are_read_for_each_epoch(split: Split, cache_bytes: int) -> None:
    windows = open_windows(split, cache_bytes=cache_bytes, shuffle_rows=15, seed=0)
    assert isinstance(windows, StreamedWindows)
    assert windows.window_rows == 20
    for epoch in range(3):
        read = ids(windows, epoch)
        assert [len(window) for window in read] == [20, 20, 20, 15]
        assert sorted(row for window in read for row in window) == list(range(75))


def test_files_come_in_another_order_each_epoch_and_in_the_same_again(split: Split) -> None:
    windows = StreamedWindows(split, shuffle_rows=15, seed=0)
    epochs = [ids(windows, epoch) for epoch in range(6)]
    assert len({str(epoch) for epoch in epochs}) > 1
    assert epochs == [
        ids(StreamedWindows(split, shuffle_rows=15, seed=0), epoch) for epoch in range(6)
    ]


def test_reading_can_begin_at_any_window(split: Split) -> None:
    windows = StreamedWindows(split, shuffle_rows=15, seed=0)
    whole = ids(windows, 2)
    for first in range(6):
        assert ids(windows, 2, first=first) == whole[first:]


def test_no_files_are_an_error_that_names_the_pattern(tmp_path: Path) -> None:
    with pytest.raises(NodeFailed, match=r"nothing-\*"):
        Split.matching([str(tmp_path / "nothing-*")], FEATURE_SPEC, num_classes=2)


@pytest.mark.parametrize("cache_bytes", [0, 2**20])
def test_no_rows_are_an_error_that_names_the_file(tmp_path: Path, cache_bytes: int) -> None:
    write(tmp_path / "empty.gz", range(0))
    split = Split.matching([str(tmp_path / "*.gz")], FEATURE_SPEC, num_classes=2)
    with pytest.raises(DataRejected, match=r"no rows.*empty\.gz"):
        list(open_windows(split, cache_bytes=cache_bytes, shuffle_rows=10, seed=0).epoch(0))


@pytest.mark.parametrize("label", [-1, 2])
def test_a_label_that_is_no_class_is_refused(tmp_path: Path, label: int) -> None:
    write(tmp_path / "wrong.gz", range(7), label=label)
    split = Split.matching([str(tmp_path / "*.gz")], FEATURE_SPEC, num_classes=2)
    with pytest.raises(DataRejected, match=f"7 of 7 labels are wrong, such as {label}"):
        list(split.chunks())


def test_a_value_to_predict_that_is_no_number_is_refused(tmp_path: Path) -> None:
    spec = {"label": tf.io.FixedLenFeature([], tf.float32)}
    example = tf.train.Example()
    example.features.feature["label"].float_list.value[:] = [float("nan")]
    path = tmp_path / "wrong.gz"
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        writer.write(example.SerializeToString())
    with pytest.raises(DataRejected, match="such as nan; expected a finite number"):
        list(Split((str(path),), spec, 0).chunks())

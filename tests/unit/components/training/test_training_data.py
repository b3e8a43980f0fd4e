from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.errors import DataRejected, NodeFailed
from components.features import DataSpec, Feature, Label
from components.training import data
from components.training.data import CachedWindows, Split, StreamedWindows, open_windows

FEATURE_SPEC = {
    "numeric": tf.io.FixedLenFeature([2], tf.float32),
    "categorical": tf.io.FixedLenFeature([1], tf.int64),
    "label": tf.io.FixedLenFeature([], tf.int64),
}
BINARY = Label(column="tipped", dtype="int", problem="binary", classes=("no", "yes"))
FARE = Feature(name="fare", kind="numeric", dtype="float")
SPEC = DataSpec(features=(FARE,), label=BINARY)
ROW_BYTES = 16


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "_CHUNK_ROWS", 10)


def write(path: Path, rows: Sequence[dict[str, list[Any]]]) -> None:
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for row in rows:
            example = tf.train.Example()
            for name, values in row.items():
                feature = example.features.feature[name]
                kind = "float_list" if isinstance(values[0], float) else "int64_list"
                kind = "bytes_list" if isinstance(values[0], bytes) else kind
                getattr(feature, kind).value[:] = values
            writer.write(example.SerializeToString())


def numbered(ids: range, label: int = 1) -> list[dict[str, list[Any]]]:
    return [{"numeric": [float(i), 0.5], "categorical": [i], "label": [label]} for i in ids]


@pytest.fixture
def split(tmp_path: Path) -> Split:
    """75 rows in three files; their ids are 0 to 74."""
    for number in range(3):
        write(tmp_path / f"part-{number}.gz", numbered(range(number * 25, number * 25 + 25)))
    return Split.matching([str(tmp_path / "*.gz")], FEATURE_SPEC, SPEC)


def opened(split: Split, **changes: int) -> data.Windows:
    settings = {"cache_bytes": 0, "shuffle_rows": 15, "shuffle_bytes": 2**20, "seed": 0}
    return open_windows(split, **(settings | changes))


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


def test_images_are_parsed_to_pixels(tmp_path: Path) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    write(tmp_path / "a.gz", [{"image": [pixels.tobytes()], "label": [1]}])
    picture = Feature(name="picture", kind="image", dtype="bytes", height=4, width=2, channels=3)
    columns = {
        "image": tf.io.FixedLenFeature([], tf.string),
        "label": tf.io.FixedLenFeature([], tf.int64),
    }
    split = Split((str(tmp_path / "a.gz"),), columns, DataSpec(features=(picture,), label=BINARY))
    [chunk] = split.chunks()
    assert chunk["image"].dtype == np.uint8
    np.testing.assert_array_equal(chunk["image"][0], pixels)
    assert split.row_bytes >= 24


def test_rows_are_counted_without_parsing_them(split: Split) -> None:
    assert split.num_rows() == 75


def test_rows_that_fit_are_kept_in_memory(split: Split) -> None:
    windows = opened(split, cache_bytes=75 * ROW_BYTES)
    assert isinstance(windows, CachedWindows)
    assert ids(windows, 0) == ids(windows, 1) == [list(range(75))]
    assert ids(windows, 0, first=1) == []


@pytest.mark.parametrize("cache_bytes", [0, 75 * ROW_BYTES - 1])
def test_rows_that_do_not_fit_are_read_for_each_epoch(split: Split, cache_bytes: int) -> None:
    windows = opened(split, cache_bytes=cache_bytes)
    assert isinstance(windows, StreamedWindows)
    assert windows.window_rows == 20
    for epoch in range(3):
        read = ids(windows, epoch)
        assert [len(window) for window in read] == [20, 20, 20, 15]
        assert sorted(row for window in read for row in window) == list(range(75))


def test_a_window_of_wide_rows_is_bounded_by_its_bytes(split: Split) -> None:
    windows = opened(split, shuffle_rows=1000, shuffle_bytes=30 * ROW_BYTES)
    assert windows.window_rows == 30
    assert [len(window) for window in ids(windows, 0)] == [30, 30, 15]


def test_of_data_that_is_streamed_only_so_much_is_read_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "many.gz", numbered(range(3000)))
    parse, read = Split._parse, []

    def counting(self: Split, records: tf.Tensor) -> dict[str, tf.Tensor]:
        columns = parse(self, records)
        size = tf.numpy_function(
            lambda label: read.append(len(label)) or np.int64(0), [columns["label"]], tf.int64
        )
        with tf.control_dependencies([size]):
            return {name: tf.identity(column) for name, column in columns.items()}

    monkeypatch.setattr(Split, "_parse", counting)
    windows = opened(Split.matching([str(tmp_path / "*.gz")], FEATURE_SPEC, SPEC)).epoch(0)
    assert len(next(windows)["label"]) == 20
    time.sleep(0.3)  # For whoever reads ahead to do so.
    # The window in use, the one being read, and the chunks that are being parsed.
    assert sum(read) <= 20 + 20 + 10 * 2 * (os.cpu_count() or 1)
    windows.close()


def test_files_come_in_another_order_each_epoch_and_in_the_same_again(split: Split) -> None:
    epochs = [ids(opened(split), epoch) for epoch in range(6)]
    assert len({str(epoch) for epoch in epochs}) > 1
    assert epochs == [ids(opened(split), epoch) for epoch in range(6)]


def test_reading_can_begin_at_any_window(split: Split) -> None:
    windows = opened(split)
    whole = ids(windows, 2)
    for first in range(6):
        assert ids(windows, 2, first=first) == whole[first:]


def test_no_files_are_an_error_that_names_the_pattern() -> None:
    with pytest.raises(NodeFailed, match=r"no transformed examples match .*/nothing-\*"):
        Split.matching(["/tmp/nowhere/nothing-*"], FEATURE_SPEC, SPEC)


@pytest.mark.parametrize("cache_bytes", [0, 2**20])
def test_no_rows_are_an_error_that_names_the_file(tmp_path: Path, cache_bytes: int) -> None:
    write(tmp_path / "empty.gz", [])
    split = Split.matching([str(tmp_path / "*.gz")], FEATURE_SPEC, SPEC)
    with pytest.raises(DataRejected, match=r"no rows.*empty\.gz"):
        list(opened(split, cache_bytes=cache_bytes).epoch(0))


@pytest.mark.parametrize("label", [-1, 2])
def test_a_label_that_is_no_class_is_refused(tmp_path: Path, label: int) -> None:
    write(tmp_path / "wrong.gz", numbered(range(7), label=label))
    split = Split.matching([str(tmp_path / "*.gz")], FEATURE_SPEC, SPEC)
    message = f"7 of 7 labels of the column 'tipped' are wrong, such as {label}; expected a class"
    with pytest.raises(DataRejected, match=message):
        list(split.chunks())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_to_predict_that_is_no_number_is_refused(tmp_path: Path, value: float) -> None:
    write(tmp_path / "wrong.gz", [{"label": [value]}, {"label": [1.0]}])
    label = Label(column="fare", dtype="float", problem="regression")
    columns = {"label": tf.io.FixedLenFeature([], tf.float32)}
    split = Split((str(tmp_path / "wrong.gz"),), columns, DataSpec(features=(FARE,), label=label))
    message = f"1 of 2 labels of the column 'fare' are wrong, such as {value}; expected a finite"
    with pytest.raises(DataRejected, match=message):
        list(split.chunks())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_a_weight_that_is_no_weight_is_refused(tmp_path: Path, value: float) -> None:
    write(tmp_path / "wrong.gz", [{"label": [1], "weight": [w]} for w in (0.0, value, 2.0)])
    columns = {
        "label": tf.io.FixedLenFeature([], tf.int64),
        "weight": tf.io.FixedLenFeature([], tf.float32),
    }
    spec = DataSpec(features=(FARE,), label=BINARY, weight="importance")
    split = Split((str(tmp_path / "wrong.gz"),), columns, spec)
    message = f"1 of 3 values of the weight column 'importance' are wrong, such as {value}"
    with pytest.raises(DataRejected, match=message):
        list(split.chunks())

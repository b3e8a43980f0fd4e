"""The rows that are sent to the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from components.errors import NodeFailed
from components.features import DataSpec, Feature
from components.serving_check.rows import (
    EXTREME,
    UNSEEN,
    as_client_sends,
    odd_rows,
    read_rows,
)
from tests.unit.components.serving_check.models import make_row, serialize
from tests.unit.components.serving_check.specs import make_data_spec


def parse(row: bytes) -> dict[str, list[Any]]:
    example = tf.train.Example.FromString(row)
    return {
        name: list(getattr(feature, feature.WhichOneof("kind")).value)
        for name, feature in example.features.feature.items()
    }


def test_client_sends_neither_label_nor_columns_the_model_does_not_know() -> None:
    (sent,) = as_client_sends([serialize(make_row(0))], make_data_spec())
    assert parse(sent) == {"fare": [3.5], "hour": [0], "company": [b"a"]}


def test_odd_rows_are_of_the_columns_types() -> None:
    rows = {name: parse(row) for name, row in odd_rows(make_data_spec()).items()}
    assert rows == {
        "the row without any value": {},
        "the row of unseen categories": {
            "company": ["\N{REPLACEMENT CHARACTER}never seen".encode()]
        },
        "the row of numbers of 1e+15": {"fare": [pytest.approx(1e15)], "hour": [EXTREME]},
        "the row of numbers of -1e+15": {"fare": [pytest.approx(-1e15)], "hour": [-EXTREME]},
    }


def test_data_without_categories_has_no_unseen_ones() -> None:
    spec = make_data_spec()
    numeric = DataSpec(features=spec.of_kind("numeric"), label=spec.label)
    assert "the row of unseen categories" not in odd_rows(numeric)


def test_images_texts_and_series_have_odd_rows_of_their_own() -> None:
    spec = DataSpec(
        features=(
            Feature(name="photo", kind="image", dtype="bytes", height=6, width=4, channels=3),
            Feature(name="review", kind="text", dtype="bytes", length=3),
            Feature(name="pulse", kind="series", dtype="int", length=2),
        ),
        label=make_data_spec().label,
        weight="w",
    )
    rows = {name: parse(row) for name, row in odd_rows(spec).items()}
    assert rows["the row of numbers of 1e+15"] == {"pulse": [EXTREME] * 3}
    assert len(rows["the row of unseen words"]["review"][0].decode().split()) > 3
    with pytest.raises(UnicodeDecodeError):
        rows["the row of a text that is not UTF-8"]["review"][0].decode()
    sizes = {
        name: tf.io.decode_image(row["photo"][0]).shape
        for name, row in rows.items()
        if "photo" in row
    }
    assert sizes == {
        "the row with a gray image of 1 x 1 pixel": (1, 1, 1),
        "the row with a color image of another size": (13, 5, 3),
    }
    assert "the row of unseen categories" not in rows


def test_large_rows_are_bounded_in_bytes(eval_split: Path) -> None:
    first = read_rows(eval_split, 1)[0]
    assert len(read_rows(eval_split, 40, max_bytes=len(first) + 1)) == 2
    assert read_rows(eval_split, 40, max_bytes=1) == [first]


def test_first_rows_are_read_in_order(eval_split: Path) -> None:
    assert read_rows(eval_split, 3) == [serialize(make_row(i)) for i in range(3)]
    assert len(read_rows(eval_split, 1000)) == 40


def test_files_that_are_not_zipped_are_read(tmp_path: Path) -> None:
    with tf.io.TFRecordWriter(str(tmp_path / "data-00000-of-00001")) as writer:
        writer.write(b"row")
    assert read_rows(tmp_path, 5) == [b"row"]


def test_split_without_rows_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(NodeFailed, match=r"has no rows.*Give the eval split more rows"):
        read_rows(tmp_path, 5)


def test_booleans_and_timestamps_are_asked_odd_values_too() -> None:
    spec = DataSpec(
        features=(
            Feature(name="paid", kind="boolean", dtype="bytes"),
            Feature(name="when", kind="timestamp", dtype="int"),
            Feature(name="day", kind="timestamp", dtype="bytes"),
        ),
        label=make_data_spec().label,
    )
    rows = {name: parse(row) for name, row in odd_rows(spec).items()}
    assert rows["the row of unseen categories"].keys() == {"paid"}
    assert rows["the row of numbers of -1e+15"] == {"when": [-EXTREME], "day": [UNSEEN.encode()]}

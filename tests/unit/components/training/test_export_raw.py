"""The signature that is asked one column at a time."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.features import DataSpec, Feature, Label, Problem
from components.raw_inputs import MISSING, raw_inputs
from components.training.export import export
from tests.unit.components.training.datasets import Dataset, Row, make_dataset, serialized
from tests.unit.components.training.exported import Exported, trained, untrained

PROBLEMS: tuple[Problem, ...] = ("binary", "multiclass", "regression")

# Every kind of column, names that no argument may have, and a weight.
SHOP = DataSpec(
    features=(
        Feature(name="hours-per-week", kind="numeric", dtype="float", buckets=4),
        Feature(name="Fare", kind="numeric", dtype="int"),
        Feature(name="fare", kind="categorical", dtype="int"),
        Feature(name="class", kind="categorical", dtype="bytes"),
        Feature(name="photo", kind="image", dtype="bytes", height=4, width=4, channels=3),
        Feature(name="review", kind="text", dtype="bytes", length=5),
        Feature(name="heart rate", kind="series", dtype="float", length=6),
        Feature(name="steps", kind="series", dtype="int", length=6),
    ),
    label=Label(column="sold", dtype="bytes", problem="binary", classes=("no", "yes")),
    weight="count",
)


def shop_rows(count: int = 60) -> list[Row]:
    random = np.random.default_rng(0)
    words = ("good", "bad", "Very", "like it", "naïve", "never")
    rows: list[Row] = []
    for i in range(count):
        pixels = random.integers(0, 256, [4 + i % 3, 4, 3]).astype(np.uint8)
        rows.append(
            {
                "hours-per-week": float(random.normal(40, 10)),
                "Fare": int(random.integers(1, 9)),
                "fare": int(random.integers(1, 4)),
                "class": ("first", "second")[i % 2],
                "photo": tf.io.encode_png(pixels).numpy(),
                "review": " ".join(random.choice(words, 1 + i % 7)),
                "heart rate": random.normal(70, 9, 1 + i % 8).tolist(),
                "steps": random.integers(0, 99, 1 + i % 5).tolist(),
                "sold": ("no", "yes")[int(random.integers(2))],
                "count": 1.0 + i % 3,
            }
        )
    return rows


def as_columns(rows: list[Row], spec: DataSpec) -> dict[str, Any]:
    """Rows as a client of `serving_raw` sends them."""
    types = {"float": np.float32, "int": np.int64, "bytes": object}
    columns = {}
    for name, feature in raw_inputs(spec).items():
        missing = MISSING[feature.dtype]
        cells = [row.get(feature.name, missing) for row in rows]
        if feature.kind == "series":
            cells = [cell if isinstance(cell, list) else [] for cell in cells]
            width = max(map(len, cells))
            cells = [cell + [missing] * (width - len(cell)) for cell in cells]
        columns[name] = np.array(cells, types[feature.dtype])
    return columns


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("shop")
    dataset = make_dataset(folder, SHOP, shop_rows())
    learner = trained(dataset, steps=10, name="cnn", filters=(4,), hidden_units=(16,))
    export(learner, SHOP, transform_graph=str(dataset.graph), directory=folder / "model")
    return Exported(dataset, learner, folder / "model")


def assert_same_answers(model: Exported, rows: list[Row]) -> None:
    default = model.ask("serving_default", examples=[serialized(row) for row in rows])
    raw = model.ask("serving_raw", **as_columns(rows, model.dataset.spec))
    assert raw.keys() == default.keys()
    for name, values in default.items():
        np.testing.assert_array_equal(raw[name], values, err_msg=name)


def with_gaps(rows: list[Row], spec: DataSpec) -> list[Row]:
    """For each column the first row without it, a row without any, and the rows."""
    gaps = [{n: v for n, v in rows[0].items() if n != f.name} for f in spec.features]
    return [*rows, *gaps, {}]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_columns_are_answered_like_examples(
    datasets: dict[str, Dataset], tmp_path: Path, problem: Problem
) -> None:
    dataset = datasets[problem]
    learner = untrained(dataset, name="mlp")
    export(learner, dataset.spec, transform_graph=str(dataset.graph), directory=tmp_path / "model")
    model = Exported(dataset, learner, tmp_path / "model")
    assert_same_answers(model, with_gaps(list(dataset.raw[:30]), dataset.spec))
    empty = {name: column[:0] for name, column in as_columns([{}], dataset.spec).items()}
    empty |= {name: c.astype("S") for name, c in empty.items() if c.dtype == object}
    assert {len(tensor) for tensor in model.ask("serving_raw", **empty).values()} == {0}


def test_columns_of_every_kind_are_answered_like_examples(shop: Exported) -> None:
    assert_same_answers(shop, with_gaps(list(shop.dataset.raw), SHOP))


def test_each_column_decides_the_answer(shop: Exported) -> None:
    rows = [
        dict(shop.dataset.raw[0]),
        dict(shop.dataset.raw[0]) | {"photo": shop.dataset.raw[1]["photo"]},
    ]
    scores = shop.ask("serving_default", examples=[serialized(row) for row in rows])["scores"]
    assert len(set(scores[:, 0])) == 2


def test_series_keeps_a_gap_inside_and_ends_at_its_last_value(shop: Exported) -> None:
    row = dict(shop.dataset.raw[0]) | {"heart rate": [60.0, math.nan, 80.0]}
    assert_same_answers(shop, [row, *shop.dataset.raw[1:4]])
    columns = as_columns([row], SHOP)
    answer = shop.ask("serving_raw", **columns)["scores"]
    columns["heart_rate"] = np.array([[60, math.nan, 80, math.nan, math.nan]], np.float32)
    np.testing.assert_array_equal(shop.ask("serving_raw", **columns)["scores"], answer)
    columns["heart_rate"] = np.array([[60, 80]], np.float32)
    assert (shop.ask("serving_raw", **columns)["scores"] != answer).any()


def test_inputs_are_named_and_typed_like_the_columns(shop: Exported) -> None:
    specs = shop.loaded.signatures["serving_raw"].structured_input_signature[1]
    assert {name: (spec.dtype, spec.shape.rank) for name, spec in specs.items()} == {
        "hours_per_week": (tf.float32, 1),
        "Fare": (tf.int64, 1),
        "fare_2": (tf.int64, 1),
        "column_class": (tf.string, 1),
        "photo": (tf.string, 1),
        "review": (tf.string, 1),
        "heart_rate": (tf.float32, 2),
        "steps": (tf.int64, 2),
    }


def test_every_kind_is_transformed_with_label_and_weight_and_scored_apart(shop: Exported) -> None:
    rows = list(shop.dataset.raw)
    examples = [serialized(row) for row in rows]
    columns = shop.ask("transform_features", examples=examples)
    np.testing.assert_array_equal(columns.pop("weight"), [row["count"] for row in rows])
    np.testing.assert_array_equal(columns.pop("label"), [row["sold"] == "yes" for row in rows])
    scores = shop.ask("score_transformed", **columns)["scores"]
    expected = shop.ask("serving_default", examples=examples)["probability"]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)
    np.testing.assert_allclose(scores, shop.expected_scores(rows), rtol=1e-5)
    columns["image"] = tf.reshape(tf.io.decode_raw(columns["image"], tf.uint8), [-1, 4, 4, 3])
    np.testing.assert_array_equal(shop.ask("score_pixels", **columns)["scores"], scores)

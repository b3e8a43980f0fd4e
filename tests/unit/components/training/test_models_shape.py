"""What a network is told of the columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from components.features import DataSpec, Feature, Label, num_ids
from components.training.models.build import build_model
from components.training.models.settings import ModelSettings
from components.training.models.shape import InputShape, input_shape
from tests.unit.components.training.datasets import TAXI, Dataset, Row, make_dataset

# A column's name ends as another's begins, and holds what separates names from values.
MIXED = DataSpec(
    features=(
        Feature(name="size", kind="numeric", dtype="float", buckets=3),
        Feature(name="city", kind="categorical", dtype="bytes"),
        Feature(name="city=old", kind="categorical", dtype="bytes"),
        Feature(name="photo", kind="image", dtype="bytes", height=4, width=5, channels=3),
        Feature(name="review", kind="text", dtype="bytes", length=6),
        Feature(name="pulse", kind="series", dtype="float", length=7),
    ),
    label=Label(column="y", dtype="int", problem="binary", classes=("0", "1")),
)
CITIES = ["Rome", "Oslo", "old=Bern", "Rome", "Oslo", "Rome"]


def row(number: int) -> Row:
    return {
        "size": float(number),
        "city": CITIES[number % 6],
        "city=old": ["Rome", "Kiev"][number % 2],
        "photo": "",  # Missing; Transform makes it black.
        "review": ["good food", "bad food"][number % 2],
        "pulse": float(number % 5),
        "y": number % 2,
    }


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_dataset(tmp_path_factory.mktemp("mixed"), MIXED, [row(n) for n in range(36)])


def shape_of(dataset: Dataset) -> InputShape:
    return input_shape(dataset.spec, tft.TFTransformOutput(str(dataset.graph)))


def transformed(dataset: Dataset) -> dict[str, np.ndarray]:
    """The training rows as Transform wrote them."""
    spec = tft.TFTransformOutput(str(dataset.graph)).transformed_feature_spec()
    files = [str(path) for pattern in dataset.files("train") for path in _matching(pattern)]
    rows = tf.data.TFRecordDataset(files, "GZIP")
    return {
        name: column.numpy()
        for name, column in next(
            iter(rows.batch(1000).map(lambda examples: tf.io.parse_example(examples, spec)))
        ).items()
    }


def _matching(pattern: str) -> list[Path]:
    return sorted(Path(pattern).parent.glob(Path(pattern).name))


@pytest.mark.parametrize("name", ["taxi", "mixed"])
def test_ids_are_counted_within_their_own_column(name: str, request: pytest.FixtureRequest) -> None:
    dataset = request.getfixturevalue(name)
    shape = shape_of(dataset)
    ids = transformed(dataset)["categorical"]
    assert ids.shape[1] == shape.num_slots == len(shape.slot_sizes)
    assert ids.max() < shape.num_ids == sum(shape.slot_sizes) == len(shape.local_ids)
    assert shape.num_ids == num_ids(dataset.spec, _vocabulary_size(dataset))
    local = shape.local_ids[ids]
    for slot, size in enumerate(shape.slot_sizes):
        assert local[:, slot].max() < size
        # Different ids of one column stay different.
        assert len(np.unique(local[:, slot])) == len(np.unique(ids[:, slot]))


def _vocabulary_size(dataset: Dataset) -> int:
    return tft.TFTransformOutput(str(dataset.graph)).vocabulary_size_by_name("vocabulary")


def test_every_kind_of_column_has_its_size(mixed: Dataset) -> None:
    shape = shape_of(mixed)
    assert shape.numeric_width == 1
    # Three cities and the unseen; two old cities and the unseen; three buckets and the missing.
    assert shape.slot_sizes == (4, 3, 4)
    assert shape.image == (4, 5, 3)
    assert (shape.tokens.length, shape.tokens.num_ids) == (6, 2 + 3)
    assert shape.series == (7, 1)
    assert shape.names == {
        "numeric": ("size",),
        "categorical": ("city", "city=old", "size"),
        "image": ("photo",),
        "tokens": ("review",),
        "series": ("pulse",),
    }


def test_a_table_has_neither_images_nor_sequences(taxi: Dataset) -> None:
    shape = shape_of(taxi)
    assert (shape.image, shape.tokens, shape.series) == (None, None, None)
    assert sorted(shape.columns()) == ["categorical", "numeric"]
    assert shape.num_slots == len(TAXI.slots)


def test_a_network_reads_what_transform_wrote(mixed: Dataset) -> None:
    from components.training.columns import inputs_of, prepare

    shape = shape_of(mixed)
    columns = inputs_of(prepare(transformed(mixed), mixed.spec))
    for name, (size, dtype) in shape.columns().items():
        assert columns[name].shape[1:] == size
        assert columns[name].dtype.name == dtype
    model = build_model(ModelSettings(embedding_dim=0), shape, units=1, seed=0)
    assert model(columns).shape == (24, 1)

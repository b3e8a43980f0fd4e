"""The networks for tables."""

from __future__ import annotations

import numpy as np
import pytest

from components.training.models.blocks import embedding_size
from components.training.models.shape import InputShape
from tests.unit.components.training.model_cases import (
    TABLE,
    accuracy,
    answers,
    build,
    random_rows,
    train,
)

ROWS = 2000


@pytest.fixture(scope="module")
def product() -> tuple[InputShape, dict[str, np.ndarray], np.ndarray]:
    """A label that is the sign of a product of two of four numbers."""
    shape = InputShape(4)
    rows = random_rows(shape, ROWS)
    return shape, rows, rows["numeric"][:, 0] * rows["numeric"][:, 1] > 0


@pytest.fixture(scope="module")
def crossed() -> tuple[InputShape, dict[str, np.ndarray], np.ndarray]:
    """A label that follows from two categories together, and not from either."""
    shape = InputShape(2, 2, 8)
    rows = random_rows(shape, ROWS)
    rows["categorical"] = np.random.default_rng(1).integers(0, 4, (ROWS, 2)).astype(np.int32)
    label = rows["categorical"].sum(axis=1) % 2 == 1
    rows["categorical"][:, 1] += 4
    return shape, rows, label


def test_linear_learns_a_sum_and_no_product(product: tuple) -> None:
    shape, rows, label = product
    summed = rows["numeric"] @ np.array([1.0, -2.0, 0.5, 0.0]) > 0
    model = build(shape, name="linear")
    train(model, rows, summed, steps=300, learning_rate=0.05)
    assert accuracy(model, rows, summed) > 0.97
    model = build(shape, name="linear")
    train(model, rows, label, steps=300, learning_rate=0.05)
    assert accuracy(model, rows, label) < 0.6


@pytest.mark.parametrize("layout", ["stacked", "parallel"])
@pytest.mark.parametrize("rank", [0, 2])
def test_dcn_learns_a_product_by_its_crosses_alone(product: tuple, layout: str, rank: int) -> None:
    shape, rows, label = product
    settings = {"hidden_units": (), "cross_layers": 1, "cross_rank": rank}
    model = build(shape, name="dcn", cross_layout=layout, **settings)
    train(model, rows, label, steps=400, learning_rate=0.02)
    assert accuracy(model, rows, label) > 0.95


def test_a_low_rank_cross_has_fewer_weights() -> None:
    full, low = (
        build(InputShape(40), name="dcn", cross_rank=rank, hidden_units=()).count_params()
        for rank in (0, 3)
    )
    # Two layers: a matrix of 40 x 40, or 40 x 3 and 3 x 40; a bias; and the output.
    assert full == 2 * (40 * 40 + 40) + 41
    assert low == 2 * (2 * 40 * 3 + 40) + 41


@pytest.mark.parametrize(
    "settings", [{"name": "wide_deep"}, {"name": "mlp"}, {"name": "mlp", "embedding_dim": 0}]
)
def test_categories_are_learned_together(crossed: tuple, settings: dict[str, object]) -> None:
    shape, rows, label = crossed
    model = build(shape, **settings)
    train(model, rows, label, steps=300)
    assert accuracy(model, rows, label) > 0.98
    linear = build(shape, name="linear")
    train(linear, rows, label, steps=300, learning_rate=0.05)
    assert accuracy(linear, rows, label) < 0.65


def test_wide_deep_is_the_linear_part_plus_the_deep_part() -> None:
    model = build(TABLE, name="wide_deep")
    rows = random_rows(TABLE, 5)
    deep = answers(model, rows)
    ids = np.random.default_rng(0).normal(size=(20, 1))
    model.get_layer("wide_ids").set_weights([ids])
    added = ids[rows["categorical"], 0].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(answers(model, rows), deep + added, rtol=1e-4, atol=1e-5)


def test_wide_deep_keeps_the_names_of_its_weights() -> None:
    assert {weight.path for weight in build(TABLE, name="wide_deep").weights} == {
        "embedding/embeddings",
        "hidden_0/kernel",
        "hidden_0/bias",
        "hidden_1/kernel",
        "hidden_1/bias",
        "wide_ids/embeddings",
        "wide_numeric/kernel",
        "wide_numeric/bias",
        "deep/kernel",
        "deep/bias",
    }


def test_layers_of_one_shape_begin_with_different_weights() -> None:
    model = build(TABLE, hidden_units=(16, 16, 16))
    second, third = (model.get_layer(f"hidden_{i}").kernel.numpy() for i in (1, 2))
    assert not np.array_equal(second, third)


def test_the_size_of_an_embedding_follows_the_number_of_ids() -> None:
    assert [embedding_size(n) for n in (1, 2, 10, 100, 1000, 1_000_000)] == [2, 3, 6, 22, 50, 50]


def test_each_column_has_an_embedding_for_its_own_ids() -> None:
    # Ids 0, 2, 3 are the first column's, 1 and 4 the second's.
    local = np.array([0, 0, 1, 2, 1], np.int32)
    shape = InputShape(0, 2, 5, slot_sizes=(3, 2), local_ids=local)
    model = build(shape, name="mlp", embedding_dim=0, hidden_units=())
    tables = [model.get_layer(f"embedding_{slot}") for slot in (0, 1)]
    assert [table.embeddings.shape for table in tables] == [(3, 3), (2, 3)]
    kernel, bias = model.get_layer("output").get_weights()
    row = np.concatenate([tables[0].embeddings.numpy()[2], tables[1].embeddings.numpy()[1]])
    answer = answers(model, {"categorical": np.array([[3, 4]], np.int32)})
    np.testing.assert_allclose(answer[0], row @ kernel + bias, rtol=1e-5)


@pytest.mark.parametrize("rank", [0, 2])
def test_a_cross_multiplies_the_columns_with_a_map_of_the_layer_before(rank: int) -> None:
    shape = InputShape(5)
    model = build(shape, name="dcn", cross_rank=rank, hidden_units=())
    random = np.random.default_rng(0)
    model.set_weights([random.normal(size=w.shape) for w in model.weights])
    rows = random_rows(shape, 4)
    columns = crossed = rows["numeric"].astype(np.float64)
    for name in ("cross_0", "cross_1"):
        kernel, bias = model.get_layer(name).get_weights()
        if rank:
            kernel = model.get_layer(f"{name}_down").get_weights()[0] @ kernel
        crossed = columns * (crossed @ kernel + bias) + crossed
    kernel, bias = model.get_layer("output").get_weights()
    np.testing.assert_allclose(answers(model, rows), crossed @ kernel + bias, rtol=1e-4)

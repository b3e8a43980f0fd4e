"""The networks for text and series."""

from __future__ import annotations

import numpy as np
import pytest

from components.training.models.shape import InputShape, Tokens
from tests.unit.components.training.model_cases import accuracy, answers, build, random_rows, train

LENGTH = 16


def padded_to(shape: InputShape, length: int) -> InputShape:
    """The same columns with room for longer rows."""
    return InputShape(
        tokens=Tokens(length=length, num_ids=shape.tokens.num_ids) if shape.tokens else None,
        series=(length, shape.series[1]) if shape.series else None,
    )


def ragged(shape: InputShape, count: int) -> dict[str, np.ndarray]:
    """Rows of all lengths, from none to the longest, with padding; a 0 may be a value too."""
    rows = random_rows(shape, count)
    ends = np.arange(count)[:, None] % (LENGTH + 1)
    padding = np.arange(LENGTH)[None, :] >= ends
    for name, column in rows.items():
        if name == "tokens":
            column[column == 0] = 1
        else:
            column[:, 2] = 0
        column[padding] = 0
    return rows


@pytest.mark.parametrize("network", ["conv1d", "gru"])
@pytest.mark.parametrize("longer", [17, 23, 40])
@pytest.mark.parametrize(
    "shape", [InputShape(tokens=Tokens(length=LENGTH, num_ids=9)), InputShape(series=(LENGTH, 2))]
)
def test_padding_at_the_end_changes_nothing(network: str, longer: int, shape: InputShape) -> None:
    settings = {"name": network, "filters": (8, 8, 8), "gru_units": 8}
    model, wider = build(shape, **settings), build(padded_to(shape, longer), **settings)
    random = np.random.default_rng(0)  # Biases that are not 0 would show in the padding.
    model.set_weights([random.normal(size=w.shape) for w in model.weights])
    wider.set_weights(model.get_weights())
    rows = ragged(shape, 2 * LENGTH)
    more = {
        name: np.pad(column, [(0, 0), (0, longer - LENGTH), *[(0, 0)] * (column.ndim - 2)])
        for name, column in rows.items()
    }
    expected = answers(model, rows)
    assert len(np.unique(expected)) > LENGTH
    np.testing.assert_allclose(answers(wider, more), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("network", ["conv1d", "gru"])
def test_a_zero_between_values_is_a_value(network: str) -> None:
    shape = InputShape(series=(4, 1))
    model = build(shape, name=network)
    rows = np.array([[1, 0, 2, 0], [1, 2, 0, 0]], np.float32)[:, :, None]
    first, second = answers(model, {"series": rows})
    assert abs(first - second) > 1e-5


@pytest.mark.parametrize("network", ["conv1d", "gru"])
def test_the_order_of_words_is_learned(network: str) -> None:
    shape = InputShape(tokens=Tokens(length=12, num_ids=8))
    rows = random_rows(shape, 2000)
    tokens = rows["tokens"]
    tokens[:] = np.maximum(tokens, 4)
    # Every row holds the words 2 and 3 once; which of them comes first is the label.
    random = np.random.default_rng(1)
    places = np.array([random.choice(11) for _ in range(len(tokens))])
    label = random.integers(0, 2, len(tokens)).astype(bool)
    tokens[np.arange(len(tokens)), places] = np.where(label, 2, 3)
    tokens[np.arange(len(tokens)), places + 1] = np.where(label, 3, 2)
    model = build(shape, name=network)
    train(model, rows, label, steps=400)
    assert accuracy(model, rows, label) > 0.97
    bag = {"tokens": np.sort(tokens, axis=1)}
    assert accuracy(model, bag, label) < 0.6


@pytest.mark.parametrize("network", ["conv1d", "gru"])
def test_the_direction_of_a_series_is_learned(network: str) -> None:
    shape = InputShape(series=(20, 1))
    random = np.random.default_rng(0)
    label = random.integers(0, 2, 2000).astype(bool)
    slope = np.where(label, 1, -1)[:, None] * np.linspace(-1, 1, 20)
    rows = {"series": (slope + random.normal(size=(2000, 20)) / 2).astype(np.float32)[:, :, None]}
    model = build(shape, name=network)
    train(model, rows, label, steps=200)
    assert accuracy(model, rows, label) > 0.97


def test_words_have_an_embedding_by_their_number_if_none_is_set() -> None:
    shape = InputShape(tokens=Tokens(length=4, num_ids=100))
    table = build(shape, name="conv1d", embedding_dim=0).get_layer("token_embedding")
    assert table.embeddings.shape == (100, 22)

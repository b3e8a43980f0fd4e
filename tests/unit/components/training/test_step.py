from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from components.features import Label
from components.training.data import Rows
from components.training.learner import Learner, make_learner
from components.training.model import InputShape
from components.training.settings import TrainingSettings
from components.training.step import compile_steps

SHAPE = InputShape(numeric_width=3, num_slots=2, num_ids=20)
LABEL = Label(column="y", dtype="int", problem="binary", classes=("0", "1"))


def learner(**settings: Any) -> Learner:
    return make_learner(TrainingSettings(**settings), LABEL, SHAPE)


def block(num_steps: int, batch_size: int = 16) -> Rows:
    random = np.random.default_rng(0)
    lead = (num_steps, batch_size)
    return {
        "numeric": random.normal(size=(*lead, 3)).astype(np.float32),
        "categorical": random.integers(0, 20, size=(*lead, 2), dtype=np.int32),
        "label": random.integers(0, 2, size=lead, dtype=np.int32),
    }


def test_one_step_is_what_adam_does_by_hand() -> None:
    trained = learner(model="linear", learning_rate=0.01, decay="none")
    ids = trained.model.get_layer("wide_ids").embeddings
    numeric = trained.model.get_layer("wide_numeric").kernel
    rows = block(1)
    losses = compile_steps(trained)(rows)

    # All weights begin at 0, so every probability is one half.
    assert losses == pytest.approx([np.log(2)])
    error = (0.5 - rows["label"][0]) / 16
    by_id = np.zeros(20)
    np.add.at(by_id, rows["categorical"][0], error[:, np.newaxis])

    def adam(gradient: np.ndarray) -> np.ndarray:
        first, second = 0.1 * gradient, 0.001 * gradient**2
        rate = 0.01 * np.sqrt(1 - 0.999) / (1 - 0.9)
        return -rate * first / (np.sqrt(second) + 1e-7)

    np.testing.assert_allclose(ids.numpy()[:, 0], adam(by_id), rtol=1e-3, atol=1e-8)
    gradient = rows["numeric"][0].T @ error
    np.testing.assert_allclose(numeric.numpy()[:, 0], adam(gradient), rtol=1e-3)


def test_how_many_steps_run_in_a_call_does_not_matter() -> None:
    rows, together, apart = block(6), learner(dropout=0.3), learner(dropout=0.3)
    losses = compile_steps(together)(rows)
    run = compile_steps(apart)
    one_by_one = [run({name: c[i : i + 1] for name, c in rows.items()})[0] for i in range(6)]
    np.testing.assert_array_equal(losses, one_by_one)
    for a, b in zip(together.values(), apart.values(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_dropout_differs_from_step_to_step() -> None:
    rows = {name: np.repeat(c[:1], 4, axis=0) for name, c in block(1).items()}
    losses = compile_steps(learner(dropout=0.5, learning_rate=1e-9))(rows)
    assert len(set(losses.tolist())) == 4


def test_l2_pulls_weights_to_zero_and_is_not_in_the_loss() -> None:
    rows = block(50)
    free, pulled = learner(), learner()
    free_losses = compile_steps(free)(rows)
    pulled_losses = compile_steps(pulled, l2=0.1)(rows)
    assert free_losses[0] == pulled_losses[0]
    free_norm, pulled_norm = (
        np.linalg.norm(x.model.get_layer("hidden_1").kernel.numpy()) for x in (free, pulled)
    )
    assert pulled_norm < 0.95 * free_norm


def test_xla_computes_the_same() -> None:
    rows, plain, compiled = block(5), learner(), learner()
    np.testing.assert_allclose(
        compile_steps(plain)(rows), compile_steps(compiled, jit_compile=True)(rows), rtol=1e-4
    )

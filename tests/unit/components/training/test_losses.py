from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.errors import ConfigError
from components.training.functions import load_function
from components.training.heads import make_head
from components.training.losses import named_loss
from components.training.settings import LossSettings
from tests.unit.components.training.core import LABELS, own_module

LOGITS = np.array([[0.3], [-2.0], [1.5]], np.float32)
LABEL = np.array([1, 0, 0], np.int32)
MANY_LOGITS = np.array([[0.0, 1.0, 2.0], [3.0, 0.0, -1.0]], np.float32)
MANY_LABELS = np.array([1, 0], np.int32)


def losses(problem: str, labels: Any, outputs: Any, **settings: Any) -> np.ndarray:
    loss = named_loss(LossSettings(**settings), problem)  # type: ignore[arg-type]
    return loss(tf.constant(labels), tf.constant(outputs)).numpy()


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits.astype(np.float64)))


def softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits.astype(np.float64))
    return raised / raised.sum(axis=1, keepdims=True)


def test_focal_loss_counts_what_is_right_less() -> None:
    right = np.where(LABEL == 1, sigmoid(LOGITS[:, 0]), 1 - sigmoid(LOGITS[:, 0]))
    found = losses("binary", LABEL, LOGITS, name="focal")
    np.testing.assert_allclose(found, -((1 - right) ** 2) * np.log(right), rtol=1e-5)

    right = softmax(MANY_LOGITS)[[0, 1], MANY_LABELS]
    found = losses("multiclass", MANY_LABELS, MANY_LOGITS, name="focal")
    np.testing.assert_allclose(found, -((1 - right) ** 2) * np.log(right), rtol=1e-5)


def test_label_smoothing_moves_the_targets_towards_even_chances() -> None:
    chance, target = sigmoid(LOGITS[:, 0]), LABEL * 0.8 + 0.1
    expected = -(target * np.log(chance) + (1 - target) * np.log(1 - chance))
    found = losses("binary", LABEL, LOGITS, label_smoothing=0.2)
    np.testing.assert_allclose(found, expected, rtol=1e-5)

    targets = np.eye(3)[MANY_LABELS] * 0.7 + 0.1
    expected = -(targets * np.log(softmax(MANY_LOGITS))).sum(axis=1)
    found = losses("multiclass", MANY_LABELS, MANY_LOGITS, label_smoothing=0.3)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("auto", [0.25, 9, 0]), ("absolute", [0.5, 3, 0]), ("huber", [0.125, 2.5, 0])],
)
def test_regression_losses(name: str, expected: list[float]) -> None:
    labels, outputs = np.array([1, -2, 3], np.float32), np.array([[1.5], [1], [3]], np.float32)
    np.testing.assert_allclose(losses("regression", labels, outputs, name=name), expected)


def test_a_regression_loss_is_of_the_standardised_label() -> None:
    head = make_head(LABELS["regression"], LossSettings(name="absolute"))
    head.fit([np.array([10, 30], np.float32)])
    found = head.losses(tf.constant([[0.0]]), tf.constant([40.0]))
    np.testing.assert_allclose(found, [2.0])


def test_a_function_of_ones_own_is_the_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = own_module(
        monkeypatch,
        tmp_path,
        "import tensorflow as tf\n"
        "def cubic(labels, outputs):\n"
        "    return tf.cast(tf.abs(outputs[:, 0] - labels) ** 3, tf.float64)\n",
    )
    found = losses("regression", np.float32([1, 2]), np.float32([[3], [2]]), name=f"{module}:cubic")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [8, 0])


@pytest.mark.parametrize(
    ("problem", "settings", "message"),
    [
        (
            "regression",
            {"name": "focal"},
            "training.loss.name: focal is no loss for a regression label. "
            "It has: auto, huber, absolute.",
        ),
        (
            "binary",
            {"name": "huber"},
            "training.loss.name: huber is no loss for a binary label. It has: auto, focal.",
        ),
        ("regression", {"label_smoothing": 0.1}, "training.loss.label_smoothing: a regression"),
        ("regression", {"class_weights": "balanced"}, "training.loss.class_weights: a regression"),
        (
            "binary",
            {"class_weights": {"maybe": 2.0}},
            "training.loss.class_weights: the label has no class 'maybe'. Its classes: no, yes.",
        ),
        (
            "binary",
            {"class_weights": {"yes": -1.0}},
            "training.loss.class_weights.yes: -1.0 is negative",
        ),
        ("binary", {"name": "no_such_module:f"}, "training.loss.name: no_such_module cannot be"),
        (
            "binary",
            {"name": "components.errors:f"},
            "training.loss.name: module components.errors was imported, but f is not in it.",
        ),
        # A function of one's own is asked for no less.
        (
            "regression",
            {"name": "components.errors:nearest", "class_weights": "balanced"},
            "training.loss.class_weights: a regression has no classes.",
        ),
        (
            "binary",
            {"name": "components.errors:nearest", "label_smoothing": 0.1},
            "training.loss.label_smoothing: components.errors:nearest",
        ),
    ],
)
def test_a_loss_that_does_not_fit_is_refused(
    problem: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        make_head(LABELS[problem], LossSettings(**settings))
    assert message in str(caught.value)


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"my\.key: module components.errors .*__doc__ is not a f"
    ):
        load_function("components.errors:__doc__", "my.key")

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from components.features import Label
from components.training.heads import make_head


def test_binary_loss_is_cross_entropy_of_the_logit() -> None:
    head = make_head(Label(column="y", dtype="int", problem="binary", classes=("0", "1")))
    logits = np.array([[0.3], [-2.0]], np.float32)
    chance = 1 / (1 + np.exp(-logits[:, 0]))
    expected = -(np.log(chance[0]) + np.log(1 - chance[1])) / 2
    assert float(head.loss(tf.constant(logits), tf.constant([1, 0]))) == pytest.approx(expected)
    np.testing.assert_allclose(head.scores(tf.constant(logits))[:, 0], chance, rtol=1e-6)


def test_multiclass_loss_is_cross_entropy_of_the_logits() -> None:
    head = make_head(
        Label(column="y", dtype="bytes", problem="multiclass", classes=("a", "b", "c"))
    )
    logits = np.array([[0.0, 1.0, 2.0], [3.0, 0.0, 0.0]], np.float32)
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = -(np.log(chances[0, 1]) + np.log(chances[1, 0])) / 2
    assert head.units == 3
    assert float(head.loss(tf.constant(logits), tf.constant([1, 0]))) == pytest.approx(expected)
    np.testing.assert_allclose(head.scores(tf.constant(logits)), chances, rtol=1e-6)


def test_regression_learns_a_standardised_label_and_answers_in_its_units() -> None:
    head = make_head(Label(column="y", dtype="float", problem="regression"))
    labels = np.random.default_rng(0).normal(1e6, 5.0, 1000).astype(np.float32)
    head.fit([labels[:10], labels[10:700], labels[700:]])
    mean, scale = labels.astype(float).mean(), labels.astype(float).std()
    scores = head.scores(tf.constant([[0.0], [1.0]])).numpy()
    np.testing.assert_allclose(scores, [[mean], [mean + scale]], rtol=1e-6)
    best_constant = tf.zeros([1000, 1])
    assert float(head.loss(best_constant, tf.constant(labels))) == pytest.approx(1, rel=1e-3)


def test_a_constant_label_is_no_division_by_zero() -> None:
    head = make_head(Label(column="y", dtype="float", problem="regression"))
    head.fit([np.full(5, 7.0, np.float32)])
    assert float(head.loss(tf.zeros([1, 1]), tf.constant([7.0]))) == 0
    assert float(head.scores(tf.zeros([1, 1]))[0, 0]) == 7

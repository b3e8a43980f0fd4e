from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.training.heads import Head, make_head
from components.training.settings import LossSettings
from tests.unit.components.training.core import LABELS


def head(problem: str, **settings: Any) -> Head:
    return make_head(LABELS[problem], LossSettings(**settings))


def test_binary_loss_is_cross_entropy_of_the_logit() -> None:
    binary = head("binary")
    logits = np.array([[0.3], [-2.0]], np.float32)
    chance = 1 / (1 + np.exp(-logits[:, 0]))
    expected = [-np.log(chance[0]), -np.log(1 - chance[1])]
    np.testing.assert_allclose(
        binary.losses(tf.constant(logits), tf.constant([1, 0])), expected, rtol=1e-6
    )
    np.testing.assert_allclose(binary.scores(tf.constant(logits))[:, 0], chance, rtol=1e-6)


def test_multiclass_loss_is_cross_entropy_of_the_logits() -> None:
    multiclass = head("multiclass")
    logits = np.array([[0.0, 1.0, 2.0], [3.0, 0.0, 0.0]], np.float32)
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert multiclass.units == 3
    np.testing.assert_allclose(
        multiclass.losses(tf.constant(logits), tf.constant([1, 0])),
        [-np.log(chances[0, 1]), -np.log(chances[1, 0])],
        rtol=1e-6,
    )
    np.testing.assert_allclose(multiclass.scores(tf.constant(logits)), chances, rtol=1e-6)


def test_regression_learns_a_standardised_label_and_answers_in_its_units() -> None:
    regression = head("regression")
    labels = np.random.default_rng(0).normal(1e6, 5.0, 1000).astype(np.float32)
    regression.fit([labels[:10], labels[10:700], labels[700:]])
    mean, scale = labels.astype(float).mean(), labels.astype(float).std()
    scores = regression.scores(tf.constant([[0.0], [1.0]])).numpy()
    np.testing.assert_allclose(scores, [[mean], [mean + scale]], rtol=1e-6)
    best_constant = regression.losses(tf.zeros([1000, 1]), tf.constant(labels))
    assert float(np.mean(best_constant)) == pytest.approx(1, rel=1e-3)


def test_a_constant_label_is_no_division_by_zero() -> None:
    regression = head("regression")
    regression.fit([np.full(5, 7.0, np.float32)])
    assert regression.losses(tf.zeros([1, 1]), tf.constant([7.0])).numpy() == [0]
    assert float(regression.scores(tf.zeros([1, 1]))[0, 0]) == 7


def test_without_class_weights_no_row_is_weighed() -> None:
    assert head("binary").weights(tf.constant([0, 1])) is None
    assert head("regression").weights(tf.constant([0.5])) is None
    assert head("binary").variables == ()


def test_classes_are_weighed_by_name_and_others_count_one() -> None:
    weighed = head("multiclass", class_weights={"c": 5.0, "a": 0.5})
    weighed.fit([np.array([0, 0, 1], np.int32)])
    np.testing.assert_array_equal(weighed.weights(tf.constant([2, 0, 1])), [5, 0.5, 1])


def test_balanced_classes_count_the_same_in_all() -> None:
    labels = np.repeat(np.array([0, 1, 2], np.int32), [70, 25, 5])
    balanced = head("multiclass", class_weights="balanced")
    balanced.fit([labels[:50], labels[50:]])
    weights = balanced.weights(tf.constant(labels)).numpy()
    assert weights.sum() == pytest.approx(100, rel=1e-6)
    by_class = np.bincount(labels, weights)
    np.testing.assert_allclose(by_class, 100 / 3, rtol=1e-6)


def test_a_class_without_rows_keeps_weight_one() -> None:
    balanced = head("multiclass", class_weights="balanced")
    balanced.fit([np.array([0, 0, 0, 1], np.int32)])
    np.testing.assert_allclose(balanced.weights(tf.constant([0, 1, 2])), [4 / 6, 2, 1], rtol=1e-6)

"""What holds for every network."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.errors import ConfigError
from components.training.models.build import build_model, choose
from components.training.models.settings import ModelSettings
from components.training.models.shape import InputShape, Tokens
from tests.unit.components.training.model_cases import (
    EVERYTHING,
    NETWORKS,
    SEQUENCES,
    TABLE,
    answers,
    build,
    random_rows,
)


@pytest.fixture
def policy() -> Iterator[None]:
    yield
    keras.config.set_dtype_policy("float32")


def gradients(
    model: keras.Model, rows: dict[str, np.ndarray], *, jit_compile: bool = False
) -> tuple[tf.Tensor, list[np.ndarray]]:
    """The outputs in training, and a gradient for each weight."""

    @tf.function(autograph=False, jit_compile=jit_compile)
    def run(columns: dict[str, tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            outputs = model(columns, training=True)
            loss = tf.reduce_mean(tf.square(outputs - 1))
        found = tape.gradient(loss, model.trainable_variables)
        return outputs, [tf.convert_to_tensor(gradient) for gradient in found]

    outputs, found = run({name: tf.constant(column) for name, column in rows.items()})
    return outputs, [gradient.numpy() for gradient in found]


@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_answers_and_all_its_weights_learn(network: str) -> None:
    settings, shape = NETWORKS[network]
    model = build_model(settings, shape, units=3, seed=0)
    rows = random_rows(shape, 16)
    assert answers(model, rows).shape == (16, 3)
    _, found = gradients(model, rows)
    still = [v.path for v, g in zip(model.trainable_variables, found, strict=True) if not g.any()]
    assert still == []


@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_reads_every_column(network: str) -> None:
    settings, shape = NETWORKS[network]
    model = build_model(settings, shape, units=1, seed=0)
    for layer in model.layers:  # So that a linear model, which begins with zeros, answers too.
        if layer.name.startswith("wide_"):
            layer.set_weights(
                [np.random.default_rng(0).normal(size=w.shape) for w in layer.weights]
            )
    rows, others = random_rows(shape, 4), random_rows(shape, 4, seed=1)
    before = answers(model, rows)
    for name in rows:
        assert (answers(model, {**rows, name: others[name]}) != before).any(), name


@pytest.mark.parametrize("network", NETWORKS)
def test_the_seed_decides_every_variable(network: str) -> None:
    settings, shape = NETWORKS[network]
    first, same, other = (
        [v.numpy() for v in build_model(settings, shape, units=1, seed=seed).variables]
        for seed in (5, 5, 6)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    matrices = [(a, b) for a, b in zip(first, other, strict=True) if a.ndim > 1 and a.any()]
    assert all(not np.array_equal(a, b) for a, b in matrices)
    assert matrices or network == "linear"


@pytest.mark.parametrize("network", NETWORKS)
def test_paths_of_weights_are_unique_and_do_not_depend_on_earlier_models(network: str) -> None:
    settings, shape = NETWORKS[network]
    first, second = (
        [w.path for w in build_model(settings, shape, units=1, seed=0).weights] for _ in range(2)
    )
    assert first == second
    assert len(set(first)) == len(first)


@pytest.mark.usefixtures("policy")
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("network", ["wide_deep", "dcn", "cnn", "conv1d", "gru"])
def test_outputs_are_float32_in_mixed_precision(network: str, precision: str) -> None:
    settings, shape = NETWORKS[network]
    keras.config.set_dtype_policy(precision)
    model = build_model(settings, shape, units=2, seed=0)
    outputs, found = gradients(model, random_rows(shape, 8))
    assert outputs.dtype == tf.float32
    assert np.isfinite(outputs).all()
    assert all(np.isfinite(gradient).all() for gradient in found)
    assert any(layer.compute_dtype != "float32" for layer in model.layers)


@pytest.mark.parametrize("network", ["mlp", "cnn", "conv1d", "gru"])
def test_xla_computes_the_same(network: str) -> None:
    settings, shape = NETWORKS[network]
    # Keras' dropout, unlike our augmentation, draws other numbers under XLA.
    settings = settings.model_copy(update={"dropout": 0.0})
    rows = random_rows(shape, 8)
    plain, compiled = (
        gradients(build_model(settings, shape, units=1, seed=0), rows, jit_compile=jit)
        for jit in (False, True)
    )
    np.testing.assert_allclose(plain[0], compiled[0], rtol=1e-3, atol=1e-4)
    for a, b in zip(plain[1], compiled[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-3 * np.abs(a).max() + 1e-6)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (TABLE, "wide_deep"),
        (InputShape(3), "wide_deep"),
        (InputShape(3, image=(8, 8, 3)), "cnn"),
        (EVERYTHING, "cnn"),
        (InputShape(tokens=Tokens(length=4, num_ids=9)), "conv1d"),
        (InputShape(series=(4, 1)), "conv1d"),
    ],
)
def test_auto_takes_the_network_for_the_columns(shape: InputShape, expected: str) -> None:
    assert choose(shape) == expected
    model = build(shape)
    assert model.name == expected
    assert sorted(model.input) == sorted(shape.columns())


NAMED = InputShape(
    3,
    image=(32, 32, 3),
    tokens=Tokens(length=4, num_ids=9),
    names={"numeric": ("age",), "image": ("photo",), "tokens": ("review",)},
)


@pytest.mark.parametrize(
    ("settings", "shape", "message"),
    [
        (
            {"name": "linear"},
            NAMED,
            r"training\.model\.name: linear does not read images \(column 'photo'\)\. Take cnn, "
            r"vgg or mobilenet, or leave it out: features\.photo: ignore\.",
        ),
        (
            {"name": "gru"},
            NAMED,
            r"gru does not read images \(column 'photo'\)\. Take cnn, vgg or mobilenet, or",
        ),
        ({"name": "dcn"}, SEQUENCES, r"dcn does not read text\. Take conv1d or gru\."),
        (
            {"name": "mlp"},
            InputShape(series=(4, 2), names={"series": ("ecg", "pulse")}),
            r"mlp does not read series \(columns 'ecg', 'pulse'\)\. Take conv1d or gru, or leave "
            r"it out: features\.ecg: ignore, or leave it out: features\.pulse: ignore\.",
        ),
        (
            {"name": "vgg"},
            TABLE,
            r"vgg is for images, and no column holds such\. Take linear, wide_deep, mlp or dcn\.",
        ),
        ({"name": "gru"}, TABLE, r"gru is for text or series, and no column holds such\."),
        (
            {"augmentation": {"flip": True}},
            TABLE,
            r"training\.model\.augmentation: wide_deep does not augment images\. Leave the key out",
        ),
        (
            {"name": "cnn", "weights": "some.h5"},
            NAMED,
            r"training\.model\.weights: cnn does not start from a file\.",
        ),
        (
            {"name": "mobilenet"},
            InputShape(image=(8, 40, 3)),
            r"8 x 40 pixels are too few\. .* at least 32, or take cnn\.",
        ),
    ],
)
def test_what_a_network_would_ignore_is_refused(
    settings: dict[str, object], shape: InputShape, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        build_model(ModelSettings(**settings), shape, units=1, seed=0)

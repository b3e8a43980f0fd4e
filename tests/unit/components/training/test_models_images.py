"""The networks for images."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

from components.errors import ConfigError
from components.training.models.shape import InputShape
from tests.unit.components.training.model_cases import (
    TABLE,
    answers,
    build,
    random_rows,
    train,
)

SMALL = InputShape(image=(32, 32, 1))
COLOUR = InputShape(image=(32, 40, 3))


@pytest.fixture(scope="module")
def digits() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """1,797 handwritten digits of 8 x 8 pixels."""
    images, labels = load_digits(return_X_y=True)
    # They come writer by writer.
    order = np.random.default_rng(0).permutation(len(labels))
    return {"image": (images * 15.9).astype(np.uint8).reshape(-1, 8, 8, 1)[order]}, labels[order]


@pytest.mark.parametrize("network", ["cnn", "vgg"])
def test_digits_are_told_that_were_not_seen(digits: tuple, network: str) -> None:
    rows, labels = digits
    seen, unseen = ({"image": rows["image"][part]} for part in (slice(1200), slice(1200, None)))
    model = build(InputShape(image=(8, 8, 1)), name=network, units=10, filters=(16, 32))
    optimizer = keras.optimizers.Adam(0.003)
    optimizer.build(model.trainable_variables)

    @tf.function(autograph=False)
    def step(images: tf.Tensor, targets: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            outputs = model({"image": images}, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, outputs)
            loss = tf.reduce_mean(losses)
        optimizer.apply(tape.gradient(loss, model.trainable_variables))

    random = np.random.default_rng(0)
    for _ in range(400):
        picked = random.integers(0, 1200, 64)
        step(tf.constant(seen["image"][picked]), tf.constant(labels[picked]))
    assert np.mean(answers(model, unseen).argmax(axis=1) == labels[1200:]) > 0.97


def test_mobilenet_learns_to_tell_bright_halves() -> None:
    rows = random_rows(SMALL, 256)
    label = np.random.default_rng(1).integers(0, 2, 256).astype(bool)
    rows["image"][label, :, :16] //= 2
    rows["image"][~label, :, 16:] //= 2
    model = build(SMALL, name="mobilenet", alpha=0.35, hidden_units=(16,))
    train(model, rows, label, steps=100, batch_size=32)
    assert np.mean((answers(model, rows)[:, 0] > 0) == label) > 0.95


def test_a_large_map_is_averaged_and_a_small_one_kept() -> None:
    kept = build(InputShape(image=(16, 16, 1)), name="cnn", filters=(4, 8))
    averaged = build(InputShape(image=(64, 64, 1)), name="cnn", filters=(4, 8))
    assert kept.get_layer("hidden_0").kernel.shape[0] == 4 * 4 * 8
    assert averaged.get_layer("hidden_0").kernel.shape[0] == 8


def test_an_image_of_one_pixel_is_read() -> None:
    shape = InputShape(image=(1, 2, 3))
    for network in ("cnn", "vgg"):
        assert answers(build(shape, name=network), random_rows(shape, 2)).shape == (2, 1)


def test_the_table_beside_an_image_reaches_the_perceptron() -> None:
    shape = InputShape(3, 2, 20, image=(8, 8, 1))
    rows = random_rows(shape, 600)
    label = rows["numeric"][:, 0] + (rows["categorical"][:, 0] % 2) > 0.5
    model = build(shape, name="cnn")
    train(model, rows, label, steps=200)
    assert np.mean((answers(model, rows)[:, 0] > 0) == label) > 0.9


def mobilenet_file(path: Path, *, alpha: float = 0.35, top: bool = False) -> keras.Model:
    """Writes weights that no model begins with."""
    body = keras.applications.MobileNetV2(
        input_shape=(32, 32, 3), alpha=alpha, weights=None, include_top=top
    )
    random = np.random.default_rng(0)
    body.set_weights([np.abs(random.normal(size=w.shape)) for w in body.weights])
    (body.save_weights if path.name.endswith(".weights.h5") else body.save)(path)
    return body


@pytest.mark.parametrize("name", ["body.weights.h5", "body.keras", "body.h5"])
@pytest.mark.parametrize("shape", [SMALL, COLOUR])
def test_mobilenet_starts_from_a_file(tmp_path: Path, name: str, shape: InputShape) -> None:
    source = mobilenet_file(tmp_path / name)
    model = build(shape, name="mobilenet", alpha=0.35, weights=str(tmp_path / name))
    loaded = model.get_layer("mobilenet").get_weights()
    for mine, other in zip(loaded, source.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_mobilenet_reads_pixels_as_its_pretrained_weights_do(tmp_path: Path) -> None:
    source = mobilenet_file(tmp_path / "body.weights.h5")
    shape = InputShape(image=(32, 32, 3))
    path = str(tmp_path / "body.weights.h5")
    model = build(shape, name="mobilenet", alpha=0.35, weights=path, hidden_units=())
    rows = random_rows(shape, 2)
    scaled = keras.applications.mobilenet_v2.preprocess_input(rows["image"].astype(np.float32))
    features = source(scaled, training=False).numpy().mean(axis=(1, 2))
    kernel, bias = model.get_layer("output").get_weights()
    np.testing.assert_allclose(answers(model, rows), features @ kernel + bias, rtol=1e-3)


def test_a_frozen_body_does_not_move() -> None:
    model = build(SMALL, name="mobilenet", alpha=0.35)
    body = model.get_layer("mobilenet")
    body.trainable = False
    before = body.get_weights()
    rows = random_rows(SMALL, 32)
    train(model, rows, rows["image"].mean(axis=(1, 2, 3)) > 127, steps=2, batch_size=8)
    assert all(np.array_equal(a, b) for a, b in zip(before, body.get_weights(), strict=True))
    names = {variable.path.split("/")[0] for variable in model.trainable_variables}
    assert names == {"hidden_0", "hidden_1", "output"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.h5", None, r"there is no file /.*none\.h5\. Correct the path, or leave the key out"),
        ("weights.txt", b"", r"does not end in \.weights\.h5, \.h5, \.keras\. Name a file that"),
        ("junk.weights.h5", b"junk", r"junk\.weights\.h5 does not hold the weights of MobileNetV2"),
        ("junk.h5", b"junk", r"junk\.h5 does not hold the weights of MobileNetV2 with alpha 0\.35"),
        ("junk.keras", b"junk", r"does not hold .* \(File is not a zip file\)\. Set"),
    ],
)
def test_a_file_that_holds_no_weights_is_named(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=rf"training\.model\.weights: .*{message}"):
        build(SMALL, name="mobilenet", alpha=0.35, weights=str(tmp_path / name))


@pytest.mark.parametrize("name", ["body.weights.h5", "body.keras", "body.h5"])
def test_weights_of_another_width_are_refused(tmp_path: Path, name: str) -> None:
    mobilenet_file(tmp_path / name, alpha=0.5)
    with pytest.raises(ConfigError, match=r"with alpha 0\.35 .* training\.model\.alpha to that"):
        build(SMALL, name="mobilenet", alpha=0.35, weights=str(tmp_path / name))


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.weights.h5"
    build(TABLE, name="mlp").save_weights(path)
    with pytest.raises(ConfigError, match=r"other\.weights\.h5 does not hold the weights"):
        build(SMALL, name="mobilenet", alpha=0.35, weights=str(path))

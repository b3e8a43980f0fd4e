"""Random changes of images."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from components.training.models.augmentation import Augmentation, _resample
from components.training.models.settings import AugmentationSettings
from components.training.models.shape import InputShape
from tests.unit.components.training.model_cases import answers, build, random_rows

ALL = {"flip": True, "rotate": 0.1, "shift": 0.2, "zoom": 0.2, "contrast": 0.3}
IMAGES = np.random.default_rng(0).integers(0, 256, (64, 6, 6, 3), dtype=np.uint8)


def layer(seed: int = 0, **settings: object) -> Augmentation:
    return Augmentation(AugmentationSettings(**settings), seed=seed, name="augmentation")


def resampled(
    *, angle: float = 0, down: float = 0, right: float = 0, zoom: float = 1, flipped: bool = False
) -> np.ndarray:
    one = tf.ones([64])
    return _resample(
        tf.cast(IMAGES, tf.float32),
        angle=angle * one,
        shift=tf.stack([down * one, right * one]),
        zoom=zoom * one,
        flipped=tf.fill([64], flipped),
    ).numpy()


def test_resampling_moves_pixels_where_numpy_does() -> None:
    np.testing.assert_array_equal(resampled(), IMAGES)
    np.testing.assert_array_equal(resampled(flipped=True), IMAGES[:, :, ::-1])
    np.testing.assert_allclose(
        resampled(angle=math.pi / 2), np.rot90(IMAGES, axes=(1, 2)), atol=1e-2
    )
    # One pixel of six; what comes in is the edge, mirrored.
    np.testing.assert_allclose(resampled(down=1 / 6), IMAGES[:, [1, 2, 3, 4, 5, 5]], atol=1e-2)
    np.testing.assert_allclose(resampled(right=-2 / 6), IMAGES[:, :, [1, 0, 0, 1, 2, 3]], atol=1e-2)


def test_zooming_in_interpolates_around_the_middle() -> None:
    ramp = np.broadcast_to(np.arange(6, dtype=np.float32)[:, None], (64, 6, 6))
    zoomed = _resample(
        tf.constant(ramp[..., None]),
        angle=tf.zeros([64]),
        shift=tf.zeros([2, 64]),
        zoom=tf.fill([64], 2.0),
        flipped=tf.fill([64], False),
    )
    np.testing.assert_allclose(zoomed[0, :, 0, 0], [1.25, 1.75, 2.25, 2.75, 3.25, 3.75], rtol=1e-6)


def test_nothing_happens_outside_training() -> None:
    augment = layer(**ALL)
    for arguments in ({}, {"training": False}):
        found = augment(IMAGES, **arguments)
        assert found.dtype == tf.float32
        np.testing.assert_array_equal(found, IMAGES)
    assert augment.variables[0].numpy()[1] == 0  # Not even the random numbers went on.


@pytest.mark.parametrize("change", ALL)
def test_each_change_changes_training_images_within_their_range(change: str) -> None:
    found = layer(**{change: ALL[change]})(IMAGES, training=True).numpy()
    assert found.shape == IMAGES.shape
    changed = (found != IMAGES).any(axis=(1, 2, 3))
    assert changed.any()
    assert found.min() >= 0
    assert found.max() <= 255
    if change == "flip":
        assert 10 < changed.sum() < 54
        np.testing.assert_array_equal(found[changed], IMAGES[changed][:, :, ::-1])
    else:
        assert changed.all()


def test_contrast_keeps_the_mean_and_spreads_the_values() -> None:
    images = np.random.default_rng(0).integers(100, 150, (64, 6, 6, 1), dtype=np.uint8)
    found = layer(contrast=0.5)(images, training=True).numpy()
    np.testing.assert_allclose(found.mean((1, 2)), images.mean((1, 2)), rtol=1e-5)
    factors = found.std((1, 2)) / images.std((1, 2))
    assert 0.5 <= factors.min() < 0.6
    assert 1.4 < factors.max() <= 1.5


def test_the_seed_and_the_variable_decide_what_comes_next() -> None:
    first, same, other = layer(1, **ALL), layer(1, **ALL), layer(2, **ALL)
    seen = [first(IMAGES, training=True).numpy() for _ in range(3)]
    assert not np.array_equal(seen[0], seen[1])
    np.testing.assert_array_equal(same(IMAGES, training=True), seen[0])
    assert not np.array_equal(other(IMAGES, training=True), seen[0])
    # As a training that continues from a checkpoint does.
    other.variables[0].assign(same.variables[0])
    for images in seen[1:]:
        np.testing.assert_array_equal(other(IMAGES, training=True), images)


def test_xla_changes_the_same_images_in_the_same_way() -> None:
    plain, compiled = layer(**ALL), layer(**ALL)
    run = tf.function(lambda images: compiled(images, training=True), jit_compile=True)
    for _ in range(2):
        np.testing.assert_allclose(run(IMAGES), plain(IMAGES, training=True), atol=0.05)


def test_a_model_holds_the_state_of_its_augmentation_and_answers_without_it() -> None:
    shape = InputShape(image=(8, 8, 1))
    augmented, plain = build(shape, augmentation=ALL), build(shape)
    state = [v for v in augmented.variables if "seed_generator_state" in v.path]
    assert [v.numpy()[1] for v in state] == [0]
    rows = random_rows(shape, 4)
    plain.set_weights(augmented.get_weights())
    np.testing.assert_array_equal(answers(augmented, rows), answers(plain, rows))
    changed = augmented(rows, training=True)
    assert not np.allclose(changed, plain(rows, training=True))
    assert [v.numpy()[1] for v in state] == [1]

"""Images, text, series and weights in the transform graph, analyzed by real Beam."""

from __future__ import annotations

import numpy as np
import pytest

from components.features import (
    IMAGE,
    SERIES,
    TOKEN_VOCABULARY,
    TOKENS,
    WEIGHT,
    DataSpec,
    Feature,
    Label,
)
from components.transform.settings import TransformSettings
from tests.unit.components.transform.analysis import Apply, Rows, analyze

HEIGHT, WIDTH = 6, 4
SPEC = DataSpec(
    features=(
        Feature(name="photo", kind="image", dtype="bytes", height=6, width=4, channels=3),
        Feature(name="review", kind="text", dtype="bytes", length=4),
        Feature(name="pulse", kind="series", dtype="float", length=3),
        Feature(name="steps", kind="series", dtype="int", length=3),
    ),
    label=Label(column="y", dtype="int", problem="binary", classes=("0", "1")),
    weight="w",
)
GRAY = DataSpec(
    features=(Feature(name="photo", kind="image", dtype="bytes", height=6, width=4, channels=1),),
    label=SPEC.label,
)


def pixels_of(seed: int, height: int = HEIGHT, width: int = WIDTH, channels: int = 3):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def png(image: np.ndarray) -> bytes:
    import tensorflow as tf

    return tf.io.encode_png(image).numpy()


@pytest.fixture(scope="module")
def rows() -> Rows:
    return [
        {
            "photo": png(pixels_of(index)),
            "review": ["Good, really GOOD film!", "a bad film"][index % 2],
            "pulse": [float(index), 2.0 * index, 1.0][: index % 3 + 1],
            "steps": [index] * (index % 5),
            "w": index / 4,
            "y": index % 2,
        }
        for index in range(20)
    ]


@pytest.fixture(scope="module")
def apply(rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> Apply:
    return analyze(SPEC, rows, tmp_path_factory.mktemp("kinds"))


@pytest.fixture(scope="module")
def apply_gray(rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> Apply:
    return analyze(GRAY, rows[:4], tmp_path_factory.mktemp("gray"))


def decode(found: np.ndarray, channels: int = 3) -> np.ndarray:
    """What training does: one operation for the whole batch."""
    import tensorflow as tf

    flat = tf.io.decode_raw(found, tf.uint8, fixed_length=HEIGHT * WIDTH * channels)
    return tf.reshape(flat, [-1, HEIGHT, WIDTH, channels]).numpy()


@pytest.mark.parametrize("count", [1, 7])
def test_an_image_of_the_right_size_keeps_every_pixel(apply: Apply, rows, count: int) -> None:
    found = apply(rows[:count])[IMAGE]
    assert found.shape == (count,)
    np.testing.assert_array_equal(decode(found), [pixels_of(index) for index in range(count)])


def test_a_missing_image_is_black_beside_others(apply: Apply, rows: Rows) -> None:
    found = decode(apply([{}, rows[3], {"photo": ""}])[IMAGE])
    assert not found[0].any()
    assert not found[2].any()
    np.testing.assert_array_equal(found[1], pixels_of(3))


def test_another_size_is_resized_smoothly_and_always_alike(apply: Apply) -> None:
    checkers = np.indices((60, 40)).sum(axis=0) % 2 * 255
    image = png(np.repeat(checkers[..., None], 3, axis=2).astype(np.uint8))
    flat = png(np.full((1, 1, 3), 77, np.uint8))
    first, second = (apply([{"photo": image}, {"photo": flat}])[IMAGE] for _ in range(2))
    found = decode(first)
    # Without antialiasing a pattern this fine becomes black and white again.
    assert abs(found[0].astype(int) - 127).max() < 20
    assert (found[1] == 77).all()
    assert (first == second).all()


@pytest.mark.parametrize("encoding", ["png", "jpeg", "gif", "bmp"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_every_format_and_color_decodes_to_both_channels(
    apply: Apply, apply_gray: Apply, encoding: str, mode: str
) -> None:
    import io

    from PIL import Image

    if (encoding, mode) in (("jpeg", "RGBA"), ("jpeg", "P")):
        mode = "CMYK"
    content = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), (102, 102, 102)).convert(mode).save(content, encoding)
    row = {"photo": content.getvalue()}
    # A palette of BMP is read as gray levels: only its shape can be right.
    tolerance = 255 if (encoding, mode) == ("bmp", "P") else 3
    np.testing.assert_allclose(decode(apply([row])[IMAGE]), 102, atol=tolerance)
    np.testing.assert_allclose(decode(apply_gray([row])[IMAGE], 1), 102, atol=tolerance)


def test_a_gray_image_is_not_changed_by_a_single_level(apply_gray: Apply) -> None:
    levels = np.arange(240, 240 + HEIGHT * WIDTH).clip(max=255).reshape(HEIGHT, WIDTH, 1)
    found = apply_gray([{"photo": png(levels.astype(np.uint8))}])[IMAGE]
    np.testing.assert_array_equal(decode(found, 1)[0], levels)


def test_words_are_lower_cased_cut_and_padded(apply: Apply) -> None:
    found = apply(
        [
            {"review": "film GOOD film"},
            {"review": "...Good?film"},
            {"review": "a bad film a bad film"},
            {"review": "unheard-of"},
            {},
        ]
    )[TOKENS]
    assert found.shape == (5, 4)
    film, good = found[0][0], found[0][1]
    assert found[0].tolist() == [film, good, film, 0]
    assert found[1].tolist() == [good, film, 0, 0]
    assert (found[2] > 1).all()
    assert found[3].tolist() == [1, 1, 0, 0]
    assert found[4].tolist() == [0, 0, 0, 0]
    size = apply.output.vocabulary_size_by_name(TOKEN_VOCABULARY)  # type: ignore[attr-defined]
    assert size == 5, "good, really, film, a, bad"
    assert found.max() < size + 2


def test_letters_of_every_script_are_words(tmp_path) -> None:
    texts = ["Été ÉTÉ हिन्दी", "été हिन्दी b", b"\xff\xfe broken b"]
    spec = SPEC.model_copy(update={"features": (SPEC.features[1],), "weight": None})
    apply = analyze(
        spec,
        [{"review": text, "y": 0} for text in texts],
        tmp_path,
        TransformSettings(token_vocabulary_size=2, min_count=1),
    )
    found = apply([{"review": "ÉTÉ हिन्दी broken"}])[TOKENS]
    assert sorted(found[0]) == [0, 1, 2, 3], "the two most frequent words are the vocabulary"


def test_a_vocabulary_without_words_still_serves(tmp_path) -> None:
    spec = SPEC.model_copy(update={"features": (SPEC.features[1],), "weight": None})
    apply = analyze(spec, [{"review": f"w{i}", "y": 0} for i in range(3)], tmp_path)
    assert apply([{"review": "w1 w2"}, {}])[TOKENS].tolist() == [[1, 1, 0, 0], [0] * 4]


def test_series_have_mean_zero_and_deviation_one_over_all_steps(apply: Apply, rows: Rows) -> None:
    found = apply(rows)[SERIES]
    assert found.shape == (20, 3, 2)
    for channel, name in enumerate(("pulse", "steps")):
        raw = np.concatenate([row[name][:3] for row in rows])
        scores = (raw - raw.mean()) / raw.std()
        used = np.concatenate(
            [found[index, : len(row[name][:3]), channel] for index, row in enumerate(rows)]
        )
        np.testing.assert_allclose(used, scores, atol=1e-5)


def test_missing_wild_and_infinite_steps_are_bounded(apply: Apply) -> None:
    found = apply(
        [{}, {"pulse": [1e30, float("nan"), float("-inf")]}, {"pulse": [], "steps": [3] * 9}]
    )[SERIES]
    assert not found[0].any()
    assert found[1, :, 0].tolist() == [10, 0, 0]
    assert not found[1, :, 1].any()
    assert len(set(found[2, :, 1])) == 1


def test_one_infinite_value_does_not_spoil_a_series(tmp_path) -> None:
    spec = SPEC.model_copy(update={"features": (SPEC.features[2],), "weight": None})
    data: Rows = [{"pulse": [float(i), float("inf")], "y": 0} for i in range(5)]
    found = analyze(spec, data, tmp_path)(data)[SERIES]
    assert found[:, 0, 0].std() == pytest.approx(1, abs=1e-5)


def test_a_missing_weight_is_one(apply: Apply) -> None:
    assert apply([{"w": 2.5}, {}, {"w": 0.0}])[WEIGHT].tolist() == [2.5, 1, 0]

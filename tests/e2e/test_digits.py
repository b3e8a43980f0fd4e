"""Images, texts, series and weights through the whole pipeline, as a user runs it."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.command import Command, Result


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def digits(run_local: Command, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        result = run_local(tmp_path_factory.mktemp("digits") / "root", "--config", "digits")
    assert result.exit_code == 0, result.stdout + result.stderr
    return result


def answers(result: Result, *rows: Mapping[str, Any]) -> dict[str, Any]:
    """The pushed model's answers."""
    import tensorflow as tf

    model = tf.saved_model.load(result.report["pushed_to"])
    examples = []
    for row in rows:
        example = tf.train.Example()
        for name, values in row.items():
            kind = "bytes_list" if isinstance(values[0], bytes) else "float_list"
            getattr(example.features.feature[name], kind).value.extend(values)
        examples.append(example.SerializeToString())
    found = model.signatures["serving_default"](examples=tf.constant(examples))
    return {name: tensor.numpy() for name, tensor in found.items()}


def test_digits_are_learned_from_their_pictures(digits: Result) -> None:
    assert digits.report["candidate"]["accuracy"] >= 0.97
    assert "1 image: image (8 x 8, gray)" in digits.stdout


def test_the_pushed_model_reads_files_of_any_size_and_none(digits: Result, cache: Path) -> None:
    import tensorflow as tf

    files = sorted(cache.glob("waybill/*/*/*.png"))[::90]
    plain = answers(digits, *[{"image": [file.read_bytes()]} for file in files])
    right = [
        label.decode() == f.parent.name for label, f in zip(plain["label"], files, strict=True)
    ]
    assert sum(right) >= 0.95 * len(files)

    def as_photo(file: Path) -> bytes:
        image = tf.io.decode_png(file.read_bytes(), channels=3)
        return tf.io.encode_jpeg(tf.repeat(tf.repeat(image, 9, 0), 9, 1)).numpy()

    photos = answers(digits, *[{"image": [as_photo(file)]} for file in files])
    assert (photos["label"] == plain["label"]).mean() >= 0.9
    assert math.isclose(answers(digits, {})["scores"].sum(), 1, rel_tol=1e-5)


def test_a_second_run_has_nothing_to_do(run_local: Command, digits: Result, cache: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        again = run_local(digits.root, "--config", "digits")
    assert again.exit_code == 0, again.stdout + again.stderr
    assert again.ran == set()


def test_a_damaged_photo_stops_the_run_and_is_named(
    run_local: Command, cache: Path, digits: Result, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    for file in sorted(cache.glob("waybill/*/[01]/*.png"))[::9]:
        copy = photos / file.parent.name / file.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    copy.write_bytes(copy.read_bytes()[:-20])
    result = run_local(tmp_path / "root", "--data", str(photos), "--label", "label")
    assert result.exit_code == 3
    assert f"{copy}: the image of" in result.stderr
    assert "truncated" in result.stderr


def _reviews(path: Path) -> None:
    """A word, or the course of the pulse, tells the label: each in a half of the rows."""
    rng = random.Random(0)
    common = "it was an evening in the old house by our river".split()  # noqa: SIM905
    lines = ["review,pulse,steps,mark,weight,mood"]
    for row in range(900):
        good = rng.random() < 0.5
        words = rng.sample(common, 7)
        telling = ["splendid" if good else "dreadful"] if row % 2 else []
        pulse = [
            math.sin(step * (2 if good and row % 2 == 0 else 1)) for step in range(6 + row % 4)
        ]
        lines.append(
            ",".join(
                [
                    " ".join([*words, *telling, f"no {row}"]),
                    " ".join(f"{value + rng.gauss(0, 0.2):.3f}" for value in pulse),
                    " ".join(str(rng.randint(1, 9)) for _ in pulse),
                    f"{rng.random():.3f}",
                    "" if row % 7 == 0 else str(1 + row % 2),
                    "good" if good else "bad",
                ]
            )
        )
    path.write_text("\n".join(lines) + "\n")


def test_text_series_and_weights_in_one_table(run_local: Command, tmp_path: Path) -> None:
    table = tmp_path / "reviews.csv"
    _reviews(table)
    result = run_local(
        tmp_path / "root",
        *("--data", str(table), "--label", "mood"),
        *("--set", "label.weight=weight", "--set", "training.steps=300"),
    )
    assert result.exit_code == 0, result.stdout + result.stderr
    for line in (
        "1 text: review (the first 10 words)",
        "2 series: pulse, steps (the first 9 values)",
        "weight of the rows: weight",
    ):
        assert line in result.stdout
    assert result.report["candidate"]["auc"] > 0.85
    found = answers(
        result,
        {"review": [b"A SPLENDID evening"]},
        {"review": [b"a dreadful evening"], "pulse": [0.1, 0.2]},
        {},
    )
    assert found["label"][:2].tolist() == [b"good", b"bad"]

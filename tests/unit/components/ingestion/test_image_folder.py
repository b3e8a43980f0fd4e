"""A folder of class folders of images, from the path to the columns."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from components.errors import ConfigError, DataRejected
from components.ingestion.profile import column_types, profile
from components.ingestion.settings import DataSettings, FeatureOverride
from components.ingestion.sources import Source, resolve
from components.ingestion.spec import Inference, infer_data_spec
from tests.unit.components.ingestion.pictures import picture, write_folders


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_folders(tmp_path / "photos")


def _resolve(path: Path | str, **settings: str) -> Source:
    return resolve(DataSettings.model_validate({"path": str(path), **settings}))


def _infer(path: Path, **overrides: FeatureOverride) -> Inference:
    return infer_data_spec(profile(_resolve(path), "label"), "label", overrides)


def _image(path: Path, **size: int) -> tuple[int, int, int]:
    overrides = {"image": FeatureOverride.model_validate(size)} if size else {}
    [feature] = _infer(path, **overrides).spec.features
    assert feature.kind == "image"
    return feature.height, feature.width, feature.channels


def test_class_folders_are_classes(photos: Path) -> None:
    source = _resolve(photos)
    assert source.format == "images"
    assert len(source.files) == 30
    found = profile(source, "label")
    assert (found.num_rows, found.whole) == (30, True)
    assert found.label_counts == (("cat", 15), ("dog", 15))
    inference = infer_data_spec(found, "label")
    assert inference.spec.label.classes == ("cat", "dog")
    assert inference.ignored == (("path", "it is the name of the file"),)
    assert inference.explanation[1] == "1 image: image (6 x 4, color)"
    assert column_types(found, None, inference.spec) == {
        "image": "image",
        "label": "bytes",
        "path": "bytes",
    }


def test_folders_named_by_numbers_are_classes_too(tmp_path: Path) -> None:
    found = profile(_resolve(write_folders(tmp_path, classes=("0", "1", "10"))), "label")
    label = infer_data_spec(found, "label").spec.label
    assert (label.dtype, label.problem, label.classes) == ("bytes", "multiclass", ("0", "1", "10"))


def test_what_desktops_and_people_leave_beside_is_skipped(photos: Path) -> None:
    before = _resolve(photos)
    for name in ("cat/.DS_Store", "cat/Thumbs.db", "dog/desktop.ini", "README.md", "LICENSE"):
        (photos / name).write_text("x")
    (photos / ".cache").mkdir()
    after = _resolve(photos)
    assert after.files == before.files
    assert after.content_hash == before.content_hash


def test_the_hash_depends_on_content_and_class(photos: Path) -> None:
    before = _resolve(photos).content_hash
    os.utime(photos / "cat/00.png", (1, 1))
    assert _resolve(photos).content_hash == before
    (photos / "cat/00.png").rename(photos / "dog/99.png")
    assert _resolve(photos).content_hash != before


def test_a_table_beside_folders_of_images_is_the_data(photos: Path) -> None:
    (photos / "prices.csv").write_text("a,b\n1,2\n")
    assert _resolve(photos).format == "csv"
    assert _resolve(photos, format="images").format == "images"


def test_the_size_is_that_of_the_images_unless_they_are_large(tmp_path: Path) -> None:
    photos = write_folders(tmp_path / "photos", count=3)
    assert _image(photos) == (6, 4, 3)
    assert _image(photos, channels=1, height=20, width=30) == (20, 30, 1)
    for file in photos.glob("*/*.png"):
        file.write_bytes(picture("jpeg", size=(300, 400), mode="L"))
    assert _image(photos) == (96, 96, 1)
    line = _infer(photos).explanation[1]
    assert line.endswith(
        "(96 x 96, gray; the images are 300 x 400: set height and width to change it)"
    )


def test_images_of_different_sizes_become_a_square_and_it_is_said(photos: Path) -> None:
    (photos / "cat/00.png").write_bytes(picture(size=(10, 40)))
    assert _image(photos) == (40, 40, 3)
    assert "the images are 6 x 4 to 10 x 40" in _infer(photos).explanation[1]
    (photos / "cat/00.png").write_bytes(picture("bmp", size=(10, 400)))
    assert _image(photos) == (96, 96, 3)


def test_one_gray_image_does_not_make_all_gray(photos: Path) -> None:
    (photos / "cat/00.png").write_bytes(picture(mode="L"))
    assert _image(photos) == (6, 4, 3)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"hello", "it starts with b'hello'"),
        (picture()[:18], "truncated"),
    ],
)
def test_files_that_are_no_images_are_named(photos: Path, content: bytes, reason: str) -> None:
    (photos / "cat/notes.txt").write_bytes(content)
    (photos / "dog/x.jpg").write_bytes(content)
    with pytest.raises(DataRejected, match=rf"cat/notes\.txt is no PNG.*{reason}.*1 more: dog/x"):
        profile(_resolve(photos), "label")


def test_an_empty_class_folder_is_named(photos: Path) -> None:
    (photos / "fish").mkdir()
    (photos / "fish/.DS_Store").write_text("x")
    with pytest.raises(DataRejected, match=r"photos/fish holds no image\. Add images, or remove"):
        _resolve(photos)


def test_folders_of_splits_are_not_taken_for_classes(tmp_path: Path) -> None:
    for split in ("train", "holdout"):
        write_folders(tmp_path / "photos" / split, count=2)
    with pytest.raises(
        ConfigError, match=r"holdout/cat .* is a folder inside the class folder 'holdout'"
    ):
        _resolve(tmp_path / "photos")


def test_images_outside_of_class_folders_are_refused(photos: Path) -> None:
    (photos / "x.png").write_bytes(picture())
    with pytest.raises(ConfigError, match=r"x\.png .* is in no class folder.*photos/cat/x\.png"):
        _resolve(photos)
    with pytest.raises(ConfigError, match=r"00\.png .* is an image outside of any class folder"):
        _resolve(photos / "cat")
    with pytest.raises(ConfigError, match=r"00\.png .* is an image outside of any class folder"):
        _resolve(photos / "cat/00.png")


def test_the_format_images_needs_class_folders(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no folder of images"):
        _resolve(tmp_path / "empty", format="images")
    with pytest.raises(ConfigError, match="is a file"):
        _resolve(photos / "cat/00.png", format="images")


def test_one_class_is_nothing_to_predict(tmp_path: Path) -> None:
    with pytest.raises(DataRejected, match="is 'cat' in every row"):
        profile(_resolve(write_folders(tmp_path, classes=("cat",))), "label")


def test_another_label_names_the_columns(photos: Path) -> None:
    with pytest.raises(ConfigError, match="Its columns are image, label, path"):
        profile(_resolve(photos), "class")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"kind": "categorical"}, "holds images and cannot be categorical"),
        ({"kind": "text"}, "holds images and cannot be text"),
        ({"length": 5}, "only a text or a series has a length"),
        ({"buckets": 5}, "only a numeric column has buckets"),
    ],
)
def test_overrides_that_do_not_fit_images_are_refused(photos: Path, override, message) -> None:
    with pytest.raises(ConfigError, match=message):
        _image(photos, **override)


def test_the_path_cannot_be_made_an_input(photos: Path) -> None:
    overrides = {"path": FeatureOverride(kind="categorical")}
    with pytest.raises(ConfigError, match=r"'path' .* cannot be used: it is the name of the file"):
        infer_data_spec(profile(_resolve(photos), "label"), "label", overrides)


def test_height_needs_width() -> None:
    with pytest.raises(ValueError, match="height and width of an image go together"):
        FeatureOverride(height=5)

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from components.features import Label
from components.training.history import Evaluation, History, Point
from components.training.watching import plots
from components.training.watching.pictures import draw
from tests.command import PROJECT
from tests.unit.components.training.watching import BINARY, Evaluated, evaluated

HISTORY = History(
    curve=[Point(step=step, loss=1 / step, learning_rate=0.1) for step in range(1, 201)],
    evaluations=[Evaluation(step=step, metrics={"loss": 1 / step}) for step in (100, 200)],
)
REGRESSION = Label(column="fare", dtype="float", problem="regression")


def pixels(png: bytes) -> np.ndarray:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    image = Image.open(io.BytesIO(png)).convert("RGB")
    assert 400 <= image.width <= 2000
    assert 300 <= image.height <= 2000
    return np.asarray(image)


def shows(image: np.ndarray, colour: str, *, least: int = 30) -> bool:
    """Whether so many pixels have about that colour."""
    wanted = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
    return int((np.abs(image.astype(int) - wanted).max(axis=2) < 12).sum()) >= least


def test_classes_have_four_pictures() -> None:
    pictures = draw(HISTORY, BINARY, evaluated(2))
    assert list(pictures) == ["learning_curve", "confusion_matrix", "precision_recall", "roc"]
    for png in pictures.values():
        pixels(png)


def test_the_learning_curve_has_a_line_for_each_split() -> None:
    image = pixels(plots.learning_curve(HISTORY))
    assert shows(image, "#0072B2")
    assert shows(image, "#D55E00")
    without = pixels(plots.learning_curve(History(curve=HISTORY.curve)))
    assert not shows(without, "#D55E00")


def test_norms_and_metrics_have_panels_of_their_own() -> None:
    more = HISTORY.model_copy(deep=True)
    for point in more.curve:
        point.gradient_norm = point.weight_norm = 1.0
    for item in more.evaluations:
        item.metrics["auc"] = 0.9
    few, many = pixels(plots.learning_curve(HISTORY)), pixels(plots.learning_curve(more))
    assert many.shape[0] > 1.5 * few.shape[0]


def test_regression_has_predicted_and_actual_values() -> None:
    labels = np.linspace(0, 10, 50, dtype=np.float32)
    right = Evaluated({}, labels, labels[:, None])
    pictures = draw(HISTORY, REGRESSION, right)
    assert list(pictures) == ["learning_curve", "predicted_and_actual"]
    pixels(pictures["predicted_and_actual"])


@pytest.mark.parametrize("num_rows", [1, 3000])
def test_few_and_many_rows_can_be_drawn(num_rows: int) -> None:
    labels = np.ones(num_rows, np.float32)
    pixels(plots.predicted_and_actual(labels, labels, "a $label$ with_signs"))


def test_without_rows_or_a_second_class_there_is_less_to_draw() -> None:
    empty = Evaluated({"rows": 0}, np.zeros(0), np.zeros((0, 1)))
    assert list(draw(HISTORY, BINARY, empty)) == ["learning_curve"]
    assert list(draw(HISTORY, BINARY, None)) == ["learning_curve"]
    assert draw(History(), BINARY, None) == {}
    one_class = Evaluated({}, np.zeros(3, np.int32), np.zeros((3, 1)))
    assert list(draw(History(), BINARY, one_class)) == ["confusion_matrix"]


def test_a_hundred_classes_fit_into_one_picture() -> None:
    names = [f"class {number}" for number in range(100)]
    image = pixels(plots.confusion_matrix(np.eye(100, dtype=np.int64), names))
    assert image.shape[0] < 1000


def test_class_names_are_not_read_as_formulas() -> None:
    pixels(plots.confusion_matrix(np.eye(2, dtype=np.int64), ["$x_{$", "a" * 200]))


def test_drawing_needs_neither_pyplot_nor_tensorflow() -> None:
    code = """
import sys
from components.training.history import History, Point
from components.training.watching import plots
plots.learning_curve(History(curve=[Point(step=1, loss=0.5, learning_rate=0.1)]))
print({"matplotlib.pyplot", "tensorflow"} & set(sys.modules))
"""
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == "set()"

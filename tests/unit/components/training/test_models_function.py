"""Networks of one's own."""

from __future__ import annotations

import itertools
import re
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from components.errors import ConfigError
from components.training.models.build import build_model
from components.training.models.settings import ModelSettings
from components.training.models.shape import InputShape
from tests.unit.components.training.model_cases import (
    EVERYTHING,
    TABLE,
    accuracy,
    answers,
    random_rows,
    train,
)

GUIDE = Path(__file__).parents[4] / "docs" / "guide" / "models.md"
NUMBERS = itertools.count()

TWO_OUTPUTS = """
import keras

def build(shape, *, units, seed):
    inputs = shape.inputs()
    initial = keras.initializers.HeNormal(seed)
    hidden = keras.layers.Dense(4, kernel_initializer=initial, name="hidden")(inputs["numeric"])
    outputs = {
        "main": keras.layers.Dense(units, dtype="float32", name="answer")(hidden),
        "rebuilt": keras.layers.Dense(shape.numeric_width, name="again")(hidden),
    }
    return keras.Model(inputs, outputs)
"""

SUBCLASS = """
import keras

class Scaled(keras.layers.Layer):
    def build(self, shape):
        self.factor = self.add_weight(shape=(shape[-1],), initializer="ones", name="factor")

    def call(self, values):
        return values * self.factor

class Own(keras.Model):
    def __init__(self, units, width):
        super().__init__(name="own")
        self.scaled = Scaled()
        self.hidden = keras.layers.Dense(width, "relu")
        self.dropout = keras.layers.Dropout(0.5, seed=1)
        self.answer = keras.layers.Dense(units)

    def call(self, columns, training=False):
        hidden = self.hidden(self.scaled(columns["numeric"]))
        return self.answer(self.dropout(hidden, training=training))

def build(shape, *, units, seed, width=8):
    return Own(units, width)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes a module that can be imported; returns its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(source: str) -> str:
        name = f"own_network_{next(NUMBERS)}"
        (tmp_path / f"{name}.py").write_text(source)
        return name

    return write


def own(
    name: str, shape: InputShape = TABLE, *, units: int = 2, seed: int = 0, **options: Any
) -> keras.Model:
    settings = ModelSettings(function=f"{name}:build", options=options)
    return build_model(settings, shape, units=units, seed=seed)


def test_a_model_with_several_outputs_is_taken_as_it_is(module: Any) -> None:
    model = own(module(TWO_OUTPUTS))
    outputs = model(random_rows(TABLE, 5))
    assert {name: tuple(output.shape) for name, output in outputs.items()} == {
        "main": (5, 2),
        "rebuilt": (5, 3),
    }
    assert sorted(model.output) == ["main", "rebuilt"]


def test_a_subclass_with_a_layer_of_ones_own_learns(module: Any) -> None:
    model = own(module(SUBCLASS), units=1, width=16)
    assert sorted(model.input) == sorted(TABLE.columns())
    rows = random_rows(TABLE, 500)
    before = answers(model, rows)
    np.testing.assert_array_equal(answers(model, rows), before)
    assert not np.array_equal(model(rows, training=True), before)  # Its dropout.
    label = np.abs(rows["numeric"][:, 0]) > 0.7
    train(model, rows, label, steps=300, learning_rate=0.02)
    assert accuracy(model, rows, label) > 0.8
    factor = next(weight for weight in model.weights if weight.path.endswith("factor"))
    assert not np.array_equal(factor.numpy(), np.ones(3))


def test_the_seed_and_the_options_arrive(module: Any) -> None:
    name = module(TWO_OUTPUTS)
    first, same, other = (
        own(name, seed=seed).get_layer("hidden").kernel.numpy() for seed in (1, 1, 2)
    )
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)
    assert [w.shape for w in own(module(SUBCLASS), width=5).weights][-2:] == [(5, 2), (2,)]


def test_a_model_may_leave_columns_out_without_a_warning(module: Any) -> None:
    source = TWO_OUTPUTS.replace(
        "keras.Model(inputs, outputs)",
        'keras.Model({"numeric": inputs["numeric"]}, outputs)',
    )
    model = own(module(source), EVERYTHING)
    assert sorted(model.input) == sorted(EVERYTHING.columns())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(random_rows(EVERYTHING, 2))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import no_such_package", r"no_such_package"),
        ("def build(", r"fails while it is imported\. SyntaxError"),
        ("1 / 0", r"fails while it is imported\. ZeroDivisionError: division by zero\."),
        ("def bild(): ...", r"build is not in it"),
        ("build = 3", r"build is not a function"),
        (
            "def build(shape): ...",
            r"cannot be called as function\(shape, units=, seed=, \*\*options\) with the options "
            r"\[\]: got an unexpected keyword argument 'units'",
        ),
        (
            "def build(shape, *, units, seed): raise KeyError('depth')",
            r":build failed\. KeyError: 'depth'\.",
        ),
        ("def build(shape, *, units, seed): return", r":build returned None, not a keras\.Model"),
        (
            "def build(shape, *, units, seed): return 'model'",
            r":build returned a str, not a keras\.Model\. Return the model\.",
        ),
        (
            TWO_OUTPUTS.replace("Dense(units", "Dense(units + 1"),
            r"has an output 'main' that puts out the shape \(3, 3\) for 3 rows\. It must be "
            r"\(3, 2\): end it in Dense\(units\)\.",
        ),
        (
            TWO_OUTPUTS.replace('"main"', '"first"'),
            r"has the outputs \['first', 'rebuilt'\]\. Name the one that answers 'main'\.",
        ),
        (
            TWO_OUTPUTS.replace('dtype="float32"', 'dtype="float16"'),
            r'puts out float16\. Give its last layer dtype="float32"\.',
        ),
        (
            TWO_OUTPUTS.replace(
                "inputs = shape.inputs()", 'inputs = {"numeric": keras.Input((7,), name="numeric")}'
            ),
            r"cannot be called with the columns \['categorical', 'numeric'\]\. ValueError: .* "
            r"or take shape\.inputs\(\)\.",
        ),
        (
            SUBCLASS.replace('columns["numeric"]', 'columns["age"]'),
            r"cannot be called with the columns .* KeyError: .*age",
        ),
    ],
)
def test_a_function_that_does_not_fit_is_named(module: Any, source: str, message: str) -> None:
    name = module(source)
    with pytest.raises(ConfigError, match=rf"(?s)^training\.model\.function: .*{message}"):
        own(name)


def test_a_module_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"training\.model\.function: no_such_module .*import"):
        own("no_such_module")


def test_an_option_without_a_parameter_is_named(module: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"with the options \['depth'\]: got an unexpected keyword argument 'dep"
    ):
        own(module(SUBCLASS), depth=3)


def test_the_example_of_the_guide_works(module: Any) -> None:
    source, *_ = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    shape = InputShape(4, 2, 8)
    name = module(source)
    settings = ModelSettings(function=f"{name}:gated", options={"width": 16})
    model, again = (build_model(settings, shape, units=1, seed=3) for _ in range(2))
    for mine, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
    rows = random_rows(shape, 1000)
    label = rows["numeric"][:, 0] * rows["numeric"][:, 1] > 0
    train(model, rows, label, steps=400, learning_rate=0.01)
    assert accuracy(model, rows, label) > 0.9

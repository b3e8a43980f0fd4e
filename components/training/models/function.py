"""A network of one's own: a function that the configuration names."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from components.errors import ConfigError
from components.training.functions import load_function
from components.training.models.shape import InputShape

# The output of a model with several that the head reads.
MAIN = "main"
_KEY = "training.model.function"
# Not 1: an axis of that size could be another one's.
_PROBE_ROWS = 3


def call_function(
    path: str, options: Mapping[str, Any], shape: InputShape, *, units: int, seed: int
) -> keras.Model:
    """The model that `path` (`package.module:function`) returns for `shape`.

    It is called as `function(shape, units=units, seed=seed, **options)`, and its model with a few
    rows of zeros, to see what it answers.

    Raises:
        ConfigError: there is no such function, it fails, or what it returns does not fit.
    """
    function = load_function(path, _KEY)
    try:
        inspect.signature(function).bind(shape, units=units, seed=seed, **options)
    except TypeError as error:
        raise ConfigError(
            f"{_KEY}: {path} cannot be called as function(shape, units=, seed=, **options) with "
            f"the options {sorted(options)}: {error}. Correct training.model.options or its "
            "parameters."
        ) from error
    try:
        model = function(shape, units=units, seed=seed, **options)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"{_KEY}: {path} failed. {_told(error)}") from error
    if not isinstance(model, keras.Model):
        raise ConfigError(
            f"{_KEY}: {path} returned {_kind(model)}, not a keras.Model. Return the model."
        )
    model = _functional(path, model, shape)
    _check_outputs(path, model, shape, units)
    return model


def _functional(path: str, model: keras.Model, shape: InputShape) -> keras.Model:
    """The model as a functional one of all columns.

    A subclass of keras.Model has no inputs of its own, and a model that leaves columns out would
    have Keras warn of them in every call.
    """
    inputs = shape.inputs()
    given = getattr(model, "inputs", None)
    used = inputs if given is None else {i.name: inputs[i.name] for i in given if i.name in inputs}
    if given is not None and len(used) == len(inputs):
        return model
    with _calling(path, shape):
        return keras.Model(inputs, model(used), name=model.name)


@contextlib.contextmanager
def _calling(path: str, shape: InputShape) -> Iterator[None]:
    """Says what a model of one's own was called with when it failed."""
    try:
        yield
    except Exception as error:
        raise ConfigError(
            f"{_KEY}: the model of {path} cannot be called with the columns "
            f"{sorted(shape.columns())}. {_told(error)} Name its inputs as shape.columns() does, "
            "or take shape.inputs()."
        ) from error


def _check_outputs(path: str, model: keras.Model, shape: InputShape, units: int) -> None:
    rows = {
        name: np.zeros((_PROBE_ROWS, *size), dtype)
        for name, (size, dtype) in shape.columns().items()
    }
    with _calling(path, shape):
        outputs = model(rows, training=False)
    where = f"{_KEY}: the model of {path}"
    if isinstance(outputs, dict):
        if MAIN not in outputs:
            raise ConfigError(
                f"{where} has the outputs {sorted(outputs)}. Name the one that answers {MAIN!r}."
            )
        outputs, where = outputs[MAIN], f"{where} has an output {MAIN!r} that"
    if not hasattr(outputs, "shape") or not hasattr(outputs, "dtype"):
        raise ConfigError(
            f"{where} puts out {_kind(outputs)}. Make it a tensor, or a dict of tensors, one "
            f"named {MAIN!r}."
        )
    if tuple(outputs.shape) != (_PROBE_ROWS, units):
        found = tuple(outputs.shape)
        raise ConfigError(
            f"{where} puts out the shape {found} for {_PROBE_ROWS} rows. It must be "
            f"{(_PROBE_ROWS, units)}: end it in Dense(units)."
        )
    dtype = keras.backend.standardize_dtype(outputs.dtype)
    if dtype != "float32":
        raise ConfigError(f'{where} puts out {dtype}. Give its last layer dtype="float32".')


def _told(error: Exception) -> str:
    """An error as one sentence; Keras' messages go on for pages."""
    first_line = str(error).strip().split("\n")[0][:300]
    return f"{type(error).__name__}: {first_line.rstrip('.')}."


def _kind(value: object) -> str:
    return f"a {type(value).__name__}" if value is not None else "None"

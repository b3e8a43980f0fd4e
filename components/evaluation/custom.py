"""Metrics of one's own: functions that the configuration names as `package.module:function`."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import math
from collections.abc import Callable
from pathlib import Path

from components.errors import ConfigError, NodeFailed
from components.evaluation.settings import EvaluationSettings

Function = Callable[..., float]


def hashes_of(settings: EvaluationSettings) -> dict[str, str]:
    """The SHA-256 of the file of each metric of one's own, by the metric's name.

    The functions are looked for, but nothing in the files is run.

    Raises:
        ConfigError: there is no such module, or nothing of that name in it.
    """
    return {
        name: hashlib.sha256(_file_of(name, custom.function).read_bytes()).hexdigest()
        for name, custom in settings.metrics.items()
    }


def load(settings: EvaluationSettings) -> dict[str, Function]:
    """The functions by metric.

    Raises:
        ConfigError: a module cannot be imported, or holds no such function.
    """
    found = {}
    for name, custom in settings.metrics.items():
        module_name, _, attribute = custom.function.partition(":")
        key = f"evaluation.metrics.{name}"
        try:
            function = getattr(importlib.import_module(module_name), attribute, None)
        except Exception as error:  # Whatever a module of one's own does while it is imported.
            raise ConfigError(
                f"{key}: {module_name} cannot be imported. {type(error).__name__}: {error}. "
                "Correct the module, or the path to it."
            ) from error
        if not callable(function):
            raise ConfigError(f"{key}: {attribute} in module {module_name} is not a function.")
        found[name] = function
    return found


def call(name: str, function: Function, *arguments: object) -> float:
    """A metric's value.

    Raises:
        NodeFailed: the function fails, or returns no number.
    """
    try:
        value = float(function(*arguments))
    except Exception as error:  # Whatever a function of one's own does.
        raise NodeFailed(
            f"The metric {name!r} failed. {type(error).__name__}: {error}. It is called with the "
            "arrays labels, predictions and weights, and returns one number."
        ) from error
    return value if math.isfinite(value) else math.nan


def _file_of(name: str, function: str) -> Path:
    module, _, attribute = function.partition(":")
    key = f"evaluation.metrics.{name}"
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError) as error:
        raise ConfigError(f"{key}: {module} cannot be found: {error}.") from error
    if found is None or found.origin is None or not Path(found.origin).is_file():
        raise ConfigError(
            f"{key}: there is no module {module}. It must be on PYTHONPATH, or in the working "
            "directory."
        )
    file = Path(found.origin)
    names = _names_in(file, key) if file.suffix == ".py" else {attribute}
    if not names & {attribute, "*"}:
        raise ConfigError(f"{key}: {file} has no function {attribute}.")
    return file


def _names_in(file: Path, key: str) -> set[str]:
    """What a Python file defines, assigns or imports at its top level."""
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except SyntaxError as error:
        raise ConfigError(f"{key}: {file}, line {error.lineno}: {error.msg}.") from error
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
    return names

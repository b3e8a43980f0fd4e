"""Functions of one's own, named in the configuration as `package.module:function`."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from components.errors import ConfigError
from components.training.settings import TrainingSettings


def load_function(name: str, key: str) -> Callable[..., Any]:
    """Imports the function that `name` names.

    Args:
        name: `package.module:function`.
        key: where the configuration names it, for the message.

    Raises:
        ConfigError: there is no such module or function; the message says which and why.
    """
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ConfigError(
            f"{key}: {module_name} cannot be imported: {error}. It must be on PYTHONPATH, or in "
            "the working directory."
        ) from error
    except Exception as error:  # Whatever a module of one's own does while it is imported.
        raise ConfigError(
            f"{key}: {module_name} fails while it is imported. {type(error).__name__}: {error}. "
            "Correct the module."
        ) from error
    function = getattr(module, attribute, None)
    if not callable(function):
        found = "is not a function" if hasattr(module, attribute) else "is not in it"
        raise ConfigError(f"{key}: module {module_name} was imported, but {attribute} {found}.")
    return function


def files_of(settings: TrainingSettings) -> dict[str, Path]:
    """The files outside the project that decide a training, by the key that names them.

    Raises:
        ConfigError: one of them does not exist.
    """
    files = {}
    if settings.model.weights is not None:
        files["training.model.weights"] = Path(settings.model.weights)
    named = [("training.model.function", settings.model.function)]
    named.append(("training.loss.name", settings.loss.name))
    named += [("training.loss.extra.name", extra.name) for extra in settings.loss.extra]
    for key, name in named:
        if name is not None and ":" in name:
            files[key] = _source_of(name.partition(":")[0], key)
    for key, path in files.items():
        if not path.is_file():
            raise ConfigError(f"{key}: there is no file {path}.")
    return files


def hashes_of(settings: TrainingSettings) -> dict[str, str]:
    """The SHA-256 of each of `files_of`.

    Raises:
        ConfigError: one of them does not exist.
    """
    return {
        key: hashlib.sha256(path.read_bytes()).hexdigest()
        for key, path in files_of(settings).items()
    }


def _source_of(module: str, key: str) -> Path:
    """The file of a module, found without running it (but the packages that it is in)."""
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError) as error:
        raise ConfigError(f"{key}: {module} cannot be found: {error}.") from error
    if found is None or found.origin is None:
        raise ConfigError(
            f"{key}: there is no module {module}. It must be on PYTHONPATH, or in the working "
            "directory."
        )
    return Path(found.origin)

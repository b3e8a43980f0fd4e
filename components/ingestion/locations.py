"""Finds the path that the configuration names, and the data sets that are built in."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from components.errors import ConfigError, nearest
from components.ingestion.digits import digits_folder
from components.ingestion.settings import BUILTIN

_BUILTINS = {
    "taxi": "examples/chicago_taxi_pipeline/data/simple/data.csv",
    "penguin": "components/testdata/penguin/data",
}
_DIGITS = "digits"


def locate(path: str) -> Path:
    """The absolute path, or ConfigError with the nearest name that does exist."""
    if path.startswith(BUILTIN):
        return _locate_builtin(path.removeprefix(BUILTIN))
    found = Path(path).expanduser().absolute()
    try:
        found.stat()
    except PermissionError as error:
        raise ConfigError(f"{found} (data.path) cannot be read: permission denied.") from error
    except OSError as error:
        parent = found.parent
        while not parent.is_dir():
            found, parent = parent, parent.parent
        siblings = [child.name for child in parent.iterdir()]
        hint = nearest(found.name, siblings)
        raise ConfigError(
            f"There is no {path} (data.path): {parent} has no {found.name!r}.{hint}"
        ) from error
    return found


def _locate_builtin(name: str) -> Path:
    if name == _DIGITS:
        return digits_folder()
    if name not in _BUILTINS:
        names = [*_BUILTINS, _DIGITS]
        raise ConfigError(
            f"There is no built-in data set {name!r} (data.path); there are "
            f"{', '.join(BUILTIN + known for known in names)}.{nearest(name, names)}"
        )
    # The package is only located: importing it would load TensorFlow.
    package = importlib.util.find_spec("tfx")
    if package is None or not package.submodule_search_locations:
        raise ConfigError(f"{BUILTIN}{name} comes with the package tfx, which is not installed.")
    path = Path(package.submodule_search_locations[0], _BUILTINS[name])
    if not path.exists():
        raise ConfigError(f"{BUILTIN}{name}: this version of tfx does not come with {path}.")
    return path

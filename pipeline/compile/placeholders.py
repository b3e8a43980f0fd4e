"""Takes the compiling machine's paths out of a compiled pipeline, and puts a run's own in.

A place is written `${waybill.<name>}`, inside strings of JSON, and strings of JSON inside those.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from components.errors import ConfigError, nearest

_PLACE = re.compile(r"\$\{waybill\.([a-z_.]+)\}")
# Where a path ends, and what cannot stand before its first slash.
_END, _NOT_BEFORE = r"(?![\w.@+-])", r"(?<![\w.@+/-])"
_PATH = re.compile(_NOT_BEFORE + r"(?:/[\w.@+-]+){2,}")
# What would have to be escaped once for each string that the value is in.
_UNSAFE = re.compile(r'["\\\x00-\x1f]|\$\{waybill\.')


def place(name: str) -> str:
    """How the place of the parameter `name` is written."""
    return f"${{waybill.{name}}}"


def hide(text: str, paths: Mapping[str, str]) -> str:
    """Replaces each path by its place, also at the start of a longer path.

    Args:
        text: a compiled pipeline as JSON.
        paths: the name of a parameter to the path it stands for.
    """
    for name, path in sorted(paths.items(), key=lambda item: len(item[1]), reverse=True):
        # Nothing in a place has a meaning in a replacement.
        text = re.sub(_NOT_BEFORE + re.escape(path) + _END, place(name), text)
    return text


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replaces each place by its value.

    Raises:
        ConfigError: a place has no value, or a value has a character that no path needs.
    """
    for name, value in values.items():
        if _UNSAFE.search(value):
            raise ConfigError(
                f"{name}: {value!r} has a quote, a backslash or a control character, which a path "
                "in a compiled pipeline cannot have. Use another folder."
            )
    missing = sorted(names(text) - values.keys())
    if missing:
        raise ConfigError(
            f"The compiled pipeline needs a value for {', '.join(missing)}: give it as a flag, "
            "or with --param NAME=VALUE."
        )
    return _PLACE.sub(lambda match: values[match[1]], text)


def names(text: str) -> frozenset[str]:
    """The parameters that the text has places for."""
    return frozenset(_PLACE.findall(text))


def check_known(given: Iterable[str], known: Iterable[str]) -> None:
    """Raises ConfigError for a parameter that the compiled pipeline does not have."""
    known = sorted(known)
    for name in given:
        if name not in known:
            raise ConfigError(
                f"--param {name}: the compiled pipeline has no such parameter."
                f"{nearest(name, known)} It has: {', '.join(known)}."
            )


def leaks(text: str, *, allowed: Iterable[str] = ()) -> list[str]:
    """Absolute paths in the text that exist on this machine, so would be missed on another.

    Args:
        text: a compiled pipeline as JSON.
        allowed: strings that may hold such paths, since the user wrote them for the cluster.
    """
    for part in allowed:
        text = text.replace(part, "")
    return sorted({path for path in _PATH.findall(text) if Path(path).exists()})

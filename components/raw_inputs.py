"""How raw columns are given one by one: the inputs of an exported model's `serving_raw`.

A server wants every input, so a value that is missing has a value of its own.
"""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Mapping

from components.features import DataSpec, Dtype, Feature

MISSING: Mapping[Dtype, str | float | int] = {"bytes": "", "float": math.nan, "int": -(2**63)}

# Columns whose names TensorFlow cannot give to an argument of a function.
_RESERVED = frozenset({*keyword.kwlist, "self"})


def raw_inputs(spec: DataSpec) -> dict[str, Feature]:
    """The columns that a client gives, by the name of their input, in the order of the spec.

    An input is named like its column where that is a name in Python too. Otherwise each character
    but ASCII letters and digits becomes `_`, `column_` goes before what does not begin with a
    letter, and a name that is taken, in whatever case, gets a number: `a b` and `a_b` are `a_b` and
    `a_b_2`.
    """
    unused = {spec.label.column, spec.weight}
    features = [feature for feature in spec.features if feature.name not in unused]
    # A column whose name needs no change keeps it, whatever stands before it.
    taken = {f.name.lower() for f in features if _as_argument(f.name) == f.name}
    named: dict[str, Feature] = {}
    for feature in features:
        name = _as_argument(feature.name)
        if name != feature.name or name.lower() in {other.lower() for other in named}:
            name = _free(name, taken)
        taken.add(name.lower())
        named[name] = feature
    return named


def _as_argument(column: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_]", "_", column)
    return name if name[:1].isalpha() and name not in _RESERVED else f"column_{name}"


def _free(name: str, taken: set[str]) -> str:
    candidate, number = name, 1
    while candidate.lower() in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate

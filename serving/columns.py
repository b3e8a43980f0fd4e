"""What a pushed model is asked: its raw columns, and the inputs of `serving_raw` they go into.

Read from `assets.extra/data_spec.json`, which the pipeline ships with each model, or from the
signature alone. How an input is named after its column, and which values stand for a missing one,
is the exported model's contract (the pipeline's `components.raw_inputs`); it is written down here a
second time because what serves a model needs none of the pipeline's code.
"""

from __future__ import annotations

import dataclasses
import json
import keyword
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from serving.errors import ModelError

RAW_SIGNATURE = "serving_raw"
DATA_SPEC = "assets.extra/data_spec.json"
# By the kind of numpy type: what a client sends for a value that it does not have.
MISSING: Mapping[str, Any] = {"float": math.nan, "int": -(2**63), "bytes": b""}

_RESERVED = frozenset({*keyword.kwlist, "self"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Column:
    """A raw column that a model reads.

    Attributes:
        name: as in the data.
        input: the input of `serving_raw` it goes into.
        dtype: `float`, `int` or `bytes`.
        kind: what the pipeline takes it for: `numeric`, `categorical`, `boolean`, `timestamp`,
            `image`, `text`, `series`; empty if that is not known.
        details: what else the pipeline says of it, such as the unit of a timestamp.
    """

    name: str
    input: str
    dtype: str
    kind: str = ""
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def is_list(self) -> bool:
        """Whether a row has a list of values."""
        return self.kind == "series"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelColumns:
    """All that `data_spec.json` says to whoever asks the model.

    Attributes:
        columns: those the model reads, in the order of the pipeline.
        label: the column it predicts.
        problem: `binary`, `multiclass` or `regression`.
        classes: the names of the classes, in order; empty for regression.
    """

    columns: tuple[Column, ...]
    label: str
    problem: str
    classes: tuple[str, ...]


def read_columns(version: Path) -> ModelColumns | None:
    """What the model in a version folder is asked; None if the pipeline's file is not there.

    Raises:
        ModelError: the file is damaged.
    """
    path = version / DATA_SPEC
    try:
        document = json.loads(path.read_bytes())
        label = document["label"]
        unused = {label["column"], document.get("weight")}
        features = [feature for feature in document["features"] if feature["name"] not in unused]
        inputs = input_names([feature["name"] for feature in features])
        return ModelColumns(
            columns=tuple(
                Column(
                    name=feature["name"],
                    input=inputs[feature["name"]],
                    dtype=feature["dtype"],
                    kind=feature["kind"],
                    details={k: v for k, v in feature.items() if k not in _NAMED},
                )
                for feature in features
            ),
            label=label["column"],
            problem=label["problem"],
            classes=tuple(label.get("classes", ())),
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path} is damaged: {error!r}. Push the model again, or restore the file."
        ) from error


def input_names(columns: Sequence[str]) -> dict[str, str]:
    """The input of `serving_raw` for each column.

    A name that is one in Python too stays. In others, each character but ASCII letters and digits
    becomes `_`, `column_` goes before what does not begin with a letter, and a name that is taken,
    in whatever case, gets a number.

    Args:
        columns: all columns of a model, in its order.
    """
    taken = {name.lower() for name in columns if as_input(name) == name}
    named: dict[str, str] = {}
    for column in columns:
        name = as_input(column)
        if name != column or name.lower() in {other.lower() for other in named.values()}:
            name = _free(name, taken)
        taken.add(name.lower())
        named[column] = name
    return named


def as_input(column: str) -> str:
    """A column's name as a signature can have it, if nothing else is named so."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", column)
    return name if name[:1].isalpha() and name not in _RESERVED else f"column_{name}"


def read_categories(version: Path) -> dict[str, list[str]]:
    """The values of categorical columns that the model knows by name, the most frequent first.

    They are the terms of its vocabularies, `column=value`; columns with hashed values have none.
    """
    found: dict[str, list[str]] = {}
    for path in sorted((version / "assets").glob("vocabulary*")):
        for line in path.read_bytes().decode("utf-8", "replace").splitlines():
            column, value = _term(line)
            if column and value:
                found.setdefault(column, []).append(value)
    return found


_NAMED = frozenset({"name", "dtype", "kind"})


def _term(line: str) -> tuple[str, str]:
    """The two sides of the first `=` that is not escaped; a cross begins with one and has none."""
    parts = re.match(r"((?:[^=\\]|\\.)+)=(.*)", line, re.DOTALL)
    return (parts[1].replace("\\=", "="), parts[2]) if parts else ("", "")


def _free(name: str, taken: Iterable[str]) -> str:
    candidate, number = name, 1
    while candidate.lower() in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate

"""What each row of an embedding table stands for, so that it can move to another vocabulary.

The ids of values change whenever the vocabulary does, for it is ordered by frequency. A *key*
stands for the same thing in every vocabulary.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import NamedTuple

from components.features import TOKEN_VOCABULARY, DataSpec


class Key(NamedTuple):
    """A row's meaning.

    `column` is that or a cross, and empty for words. `what` is `term` (then `value` is it),
    `padding`, or what an id of a column's own stands for (`components.features.Slot`), such as
    `unseen` or `bucket 3 of 10`.
    """

    column: str
    what: str
    value: bytes = b""


@dataclasses.dataclass(frozen=True)
class Vocabularies:
    """The meaning of ids, in order.

    Attributes:
        ids: of those that all columns of `categorical` share.
        tokens: of those in `tokens`.
        slots: for each column of `categorical`, of its ids counted from 0 within the column.
    """

    ids: tuple[Key, ...]
    tokens: tuple[Key, ...]
    slots: tuple[tuple[Key, ...], ...]


def vocabularies(spec: DataSpec, assets: Path) -> Vocabularies:
    """Reads what the ids of `spec` mean from the vocabularies in the folder `assets`.

    Raises:
        OSError: a vocabulary that the spec needs is not there.
    """
    terms = [term for name in spec.vocabularies for term in _lines(assets / name)]
    ids = _ids(spec, terms)
    tokens: list[Key] = []
    if spec.of_kind("text"):
        words = _lines(assets / TOKEN_VOCABULARY)
        tokens = [Key("", "padding"), Key("", "unseen"), *(Key("", "term", w) for w in words)]
    of_column: dict[str, list[Key]] = {slot.name: [] for slot in spec.slots}
    for key in ids:
        if key.column:
            of_column[key.column].append(key)
    slots = tuple(tuple(keys) for keys in of_column.values())
    return Vocabularies(tuple(ids), tuple(tokens), slots)


def _ids(spec: DataSpec, terms: list[bytes]) -> list[Key]:
    """In the order that `components.features.num_ids` describes."""
    prefixes = {slot.prefix.encode(): slot.name for slot in spec.slots if slot.vocabulary}
    # The longest first: a column must not take the terms of one whose name goes on with "=".
    ordered = sorted(prefixes, key=len, reverse=True)
    keys = []
    for term in terms:
        prefix = next((prefix for prefix in ordered if term.startswith(prefix)), None)
        column = prefixes[prefix] if prefix is not None else ""
        keys.append(Key(column, "term", term))
    for slot in spec.slots:
        keys += [Key(slot.name, slot.meaning.format(number)) for number in range(slot.num_ids)]
    return keys


def _lines(path: Path) -> list[bytes]:
    """The terms of a vocabulary as TensorFlow Transform writes it: one a line."""
    return path.read_bytes().removesuffix(b"\n").split(b"\n")

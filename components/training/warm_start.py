"""Begins a training with the weights of an earlier model.

Weights go to those of the same name and shape. Rows of embedding tables go by what they stand for,
because the same value has another id in another vocabulary. Only a checkpoint and text are read:
nothing of the earlier model is run.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import keras
import numpy as np
import pydantic

from components.errors import NodeFailed
from components.features import DataSpec
from components.training.export import DATA_SPEC
from components.training.export.weights import weights_of
from components.training.vocabulary_rows import Key, Vocabularies, vocabularies

# `embedding_3` embeds the ids of the fourth column alone.
_OF_SLOT = re.compile(r"embedding_(\d+)")


@dataclasses.dataclass(frozen=True)
class WarmStart:
    """What a training began with.

    Attributes:
        loaded: the names of the weights that were set.
        skipped: the names of the others, each with the reason.
    """

    loaded: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class _Side:
    """What is known of the columns of one of the two models."""

    spec: DataSpec
    keys: Vocabularies


def load_warm_start(
    model: keras.Model, directory: str, *, spec: DataSpec, transform_graph: str
) -> WarmStart:
    """Sets the weights of `model` to those of an exported model, as far as they fit.

    A row of an embedding table comes from the row of the same value (the same bucket, where both
    have as many) of the same column; a value that is new to the vocabulary begins with the row of
    its column's unseen values, and one of a new column as it was drawn. All other weights need the
    same columns in the same order, and those of the last layer the same classes, for otherwise a
    weight of the same shape would mean something else.

    A model whose columns are not known (it has no `data_spec.json`) gives no table.

    Args:
        model: the network, before its first step.
        directory: the folder of the earlier model, that of its `saved_model.pb`.
        spec: the columns and the label of the new model.
        transform_graph: the directory of the new model's transform graph.

    Returns:
        What was set, and what was not.

    Raises:
        NodeFailed: the directory holds no exported model, or one that is damaged.
    """
    earlier = weights_of(Path(directory))
    old = _earlier_side(Path(directory))
    new = _Side(spec, vocabularies(spec, Path(transform_graph) / "transform_fn" / "assets"))
    tables = _tables(model, new.keys)
    values: dict[str, np.ndarray] = {}
    skipped = []
    for weight in model.weights:
        name = weight.path
        found = earlier.get(name)
        if found is None:
            skipped.append((name, "the earlier model has no weights of this name"))
        elif name in tables:
            moved = _move_rows(np.asarray(weight.value), found, tables[name], old, new)
            if isinstance(moved, str):
                skipped.append((name, moved))
            else:
                values[name] = moved
        elif reason := _objection(tuple(weight.shape), found.shape, old, new):
            skipped.append((name, reason))
        else:
            values[name] = found
    for weight in model.weights:  # All at once: a failure above leaves the model as it was.
        if weight.path in values:
            weight.assign(values[weight.path])
    return WarmStart(tuple(values), tuple(skipped))


def _earlier_side(directory: Path) -> _Side | None:
    path = directory / DATA_SPEC
    if not path.is_file():
        return None
    try:
        spec = DataSpec.model_validate_json(path.read_bytes())
        return _Side(spec, vocabularies(spec, directory / "assets"))
    except (pydantic.ValidationError, OSError) as error:
        raise NodeFailed(
            f"Trainer: the model to start from, {directory}, is damaged: "
            f"{str(error).splitlines()[0]}. Set training.warm_start to false, or restore the model."
        ) from error


def _tables(model: keras.Model, new: Vocabularies) -> dict[str, str]:
    """The weights that are embedding tables of our ids: name to `ids`, `tokens` or `slots N`."""
    tables = {}
    for layer in model._flatten_layers():
        if not isinstance(layer, keras.layers.Embedding):
            continue
        kind = _kind_of_table(layer, new)
        if kind is not None:
            tables[layer.embeddings.path] = kind
    return tables


def _kind_of_table(layer: keras.layers.Embedding, new: Vocabularies) -> str | None:
    of_slot = _OF_SLOT.fullmatch(layer.name)
    if of_slot:
        slot = int(of_slot[1])
        if slot < len(new.slots) and layer.input_dim == len(new.slots[slot]):
            return f"slots {slot}"
    if layer.input_dim == len(new.tokens) and "token" in layer.name:
        return "tokens"
    if layer.input_dim == len(new.ids):
        return "ids"
    return "tokens" if layer.input_dim == len(new.tokens) else None


def _move_rows(
    initial: np.ndarray, earlier: np.ndarray, kind: str, old: _Side | None, new: _Side
) -> np.ndarray | str:
    """The table with the earlier rows in their new places, or why there is none."""
    if old is None:
        return f"the earlier model does not say what its columns mean ({DATA_SPEC})"
    new_keys = _keys(new, kind)
    old_keys = _old_keys(old, new, kind)
    if old_keys is None:
        return "it embeds another column in the earlier model"
    if earlier.shape != (len(old_keys), *initial.shape[1:]):
        return (
            f"its rows have the shape {initial.shape[1:]}; that of the earlier model is "
            f"{earlier.shape}, of {len(old_keys)} ids"
        )
    rows = {key: row for row, key in enumerate(old_keys)}
    table = initial.copy()
    for row, key in enumerate(new_keys):
        unseen = Key(key.column, "unseen") if key.what == "term" else key
        source = rows.get(key, rows.get(unseen))
        if source is not None:
            table[row] = earlier[source]
    return table


def _keys(side: _Side, kind: str) -> tuple[Key, ...]:
    name, _, slot = kind.partition(" ")
    if name == "slots":
        return side.keys.slots[int(slot)]
    return side.keys.tokens if name == "tokens" else side.keys.ids


def _old_keys(old: _Side, new: _Side, kind: str) -> tuple[Key, ...] | None:
    """The same table's keys in the earlier model; None if its slot was another column's."""
    name, _, slot = kind.partition(" ")
    if name == "slots":
        column = new.spec.slots[int(slot)].name
        columns = [feature.name for feature in old.spec.slots]
        if int(slot) >= len(columns) or columns[int(slot)] != column:
            return None
    return _keys(old, kind)


def _objection(
    shape: tuple[int, ...],
    found: tuple[int, ...],
    old: _Side | None,
    new: _Side,
) -> str | None:
    """Why a weight that is no table must not be loaded."""
    if shape != found:
        return f"its shape is {shape}, that of the earlier model {found}"
    if old is None:
        return None
    before, after = _order(old.spec), _order(new.spec)
    if before != after:
        return f"the columns are not those of the earlier model: {_difference(before, after)}"
    classes, earlier = new.spec.label.classes, old.spec.label.classes
    if classes != earlier and shape[-1:] == (_units(new.spec),):
        return (
            f"the classes are {', '.join(classes)}, those of the earlier model {', '.join(earlier)}"
        )
    return None


def _order(spec: DataSpec) -> list[tuple[str, str, str]]:
    """What decides which input of a network is which; of images and text there is at most one."""
    single = ("image", "text")
    columns = [
        ("" if f.kind in single else f.name, f.kind, f"{f.scale} {bool(f.buckets)}")
        for f in spec.features
    ]
    return columns + [(cross.name, "cross", "") for cross in spec.crosses]


def _difference(before: list[tuple[str, str, str]], after: list[tuple[str, str, str]]) -> str:
    gone = [name or kind for name, kind, _ in before if (name, kind, _) not in after]
    come = [name or kind for name, kind, _ in after if (name, kind, _) not in before]
    said = [f"{word} {', '.join(names)}" for word, names in (("no", gone), ("new", come)) if names]
    return "; ".join(said) or "another order"


def _units(spec: DataSpec) -> int:
    """How many numbers a network puts out for a row."""
    return len(spec.label.classes) if spec.label.problem == "multiclass" else 1

"""Which version each label of a model points to, as `models.config` says it to a server."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from serving import model_config
from serving.errors import LabelError

STABLE = "stable"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServedModel:
    """One model of a `models.config`.

    Attributes:
        name: what a server knows it by.
        base: the folder of its versions.
        versions: what a server loads; empty if it chooses itself.
        labels: the version of each label.
    """

    name: str
    base: Path
    versions: tuple[int, ...]
    labels: Mapping[str, int]


def config_of(base: Path) -> Path:
    """The `models.config` that names the model whose versions lie in `base`."""
    return base.parent / model_config.FILE


def read_config(path: Path) -> dict[str, ServedModel]:
    """Every model that a `models.config` names; none if there is no such file.

    Raises:
        LabelError: it is damaged, or cannot be read.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise LabelError(f"Cannot read {path}: {error.strerror or error}.") from error
    config = model_config.parse(text, origin=str(path))
    return {
        entry.name: ServedModel(
            name=entry.name,
            base=Path(entry.base_path),
            versions=model_config.versions_of(entry),
            labels=model_config.labels_of(entry),
        )
        for entry in config.model_config_list.config
    }


def labels(base: Path) -> dict[str, int]:
    """The version of each label of the model in `base`; empty if nothing is labelled.

    Raises:
        LabelError: `models.config` is damaged, or cannot be read.
    """
    model = read_config(config_of(base)).get(base.name)
    return dict(model.labels) if model is not None else {}


def live(base: Path, label: str = STABLE) -> int | None:
    """The version that a label of the model in `base` points to, if it points to any.

    Raises:
        LabelError: `models.config` is damaged, or cannot be read.
    """
    return labels(base).get(label)

"""What lies in the serving folder, and which version each label points to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from components.errors import ConfigError, nearest
from pipeline.lineage.errors import NotFound
from serving import labels, versions
from serving.errors import ServingError
from serving.versions import Version


@dataclass(frozen=True, kw_only=True)
class Served:
    """One model in the serving folder.

    Attributes:
        model: its name.
        versions: its published versions by number.
        labels: label to version; empty where nothing is labelled.
    """

    model: str
    versions: Mapping[int, Version]
    labels: Mapping[str, int] = field(default_factory=dict)

    def labels_of(self, number: int) -> list[str]:
        """The labels that point to a version."""
        return sorted(label for label, version in self.labels.items() if version == number)


def models(folder: Path) -> list[Path]:
    """The folders of the models below a serving folder, by name."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_dir()
        and not path.name.startswith(".")
        and any(child.name.isdecimal() for child in path.iterdir())
    )


def read(folder: Path, model: str | None) -> Served:
    """Reads one model.

    Args:
        folder: the serving folder, `<folder>/<model>/<version>/` inside.
        model: its name; by default the only one.

    Raises:
        NotFound: there is no such model.
        ConfigError: there are several and none is named, or models.config is damaged.
    """
    found = {path.name: path for path in models(folder)}
    if model is not None and model not in found:
        raise NotFound(
            f"{folder} holds no model {model!r}.{nearest(model, found)} "
            f"Its models: {', '.join(found) or 'none'}."
        )
    if not found:
        raise NotFound(
            f"{folder} holds no pushed model. Name the serving folder with --serving, or push one."
        )
    if model is None and len(found) > 1:
        raise ConfigError(f"{folder} holds several models; name one: --model {'|'.join(found)}.")
    base = found[model] if model is not None else next(iter(found.values()))
    try:
        labelled = labels.labels(base)
    except ServingError as error:
        raise ConfigError(str(error)) from error
    return Served(
        model=base.name,
        versions={version.number: version for version in versions.versions(base)},
        labels=labelled,
    )

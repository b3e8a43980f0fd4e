"""What a configuration asks of the evaluation, held against the columns and the label."""

from __future__ import annotations

from components.errors import ConfigError, nearest
from components.evaluation.catalogue import check_metrics
from components.evaluation.settings import EVERY, EvaluationSettings
from components.features import DataSpec

_NO_SLICES = ("image", "text", "series")


def check(settings: EvaluationSettings, spec: DataSpec) -> None:
    """Refuses what cannot be computed or judged.

    Args:
        settings: slices, worked out, and thresholds.
        spec: the columns and the label.

    Raises:
        ConfigError: naming the key.
    """
    check_metrics(settings, spec.label)
    kinds = {feature.name: feature.kind for feature in spec.features}
    for group in settings.groups:
        for column in group:
            if kinds.get(column) in _NO_SLICES:
                raise ConfigError(
                    f"evaluation.slices: {column!r} is of kind {kinds[column]}, with no values to "
                    "slice by. Name a column of categories, booleans or numbers."
                )
    for name in settings.slice_thresholds:
        if name != EVERY and not any(_names(name, group) for group in settings.groups):
            known = [EVERY, *(", ".join(group) for group in settings.groups)]
            raise ConfigError(
                f"evaluation.slice_thresholds.{name}: there is no such slice. Slices: "
                f"{'; '.join(known)}, or one by its values, as in column=value."
                f"{nearest(name.split('=')[0], known)}"
            )


def _names(name: str, group: tuple[str, ...]) -> bool:
    """Whether it names the columns of a group, or with values one of its slices."""
    if name == ", ".join(group):
        return True
    rest = name
    for at, column in enumerate(group):
        start = f"{column}=" if at == 0 else f", {column}="
        before, found, rest = rest.partition(start)
        if not found or (at == 0 and before):
            return False
    return True

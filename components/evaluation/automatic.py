"""The slices that nobody asked for: by each column with few different values."""

from __future__ import annotations

from collections.abc import Mapping

from components.features import DataSpec

MAX_VALUES, MAX_SLICES = 10, 20


def automatic_slices(
    spec: DataSpec, num_distinct: Mapping[str, int | None]
) -> tuple[tuple[str, ...], ...]:
    """Categories and booleans of two to ten values, in order, of at most twenty values together.

    Args:
        spec: the input columns.
        num_distinct: how many different values each column of the data has; None if very many.
    """
    groups: list[tuple[str, ...]] = []
    left = MAX_SLICES
    for feature in spec.features:
        values = num_distinct.get(feature.name) or 0
        if feature.kind not in ("categorical", "boolean") or feature.name == spec.label.column:
            continue
        if 2 <= values <= min(MAX_VALUES, left):
            groups.append((feature.name,))
            left -= values
    return tuple(groups)

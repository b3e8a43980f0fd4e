"""Who made an artifact, among those that have it as their output."""

from __future__ import annotations

from pipeline.lineage.models import Execution, short_type


def generates(execution: Execution) -> bool:
    """Whether an execution wrote its outputs: a cached one and a resolver only found them."""
    return execution.state != "CACHED" and not resolves(execution)


def resolves(execution: Execution) -> bool:
    """Whether an execution is a resolver's, whose outputs are what it chose of earlier ones."""
    return short_type(execution.type) == "Resolver"

"""Settings of the ServingCheck."""

from __future__ import annotations

import pydantic

from components.settings import Settings


class ServingCheckSettings(Settings):
    """How the exported model is tried out.

    The first `num_rows` rows of the `eval` split are sent; an answer may differ from the
    pipeline's by `tolerance`, absolute below 1 and relative above. Loading and answering must be
    done within `timeout_s`.

    With a budget the model must also be small and quick enough on this machine: the median of
    single-row calls within `latency_p50_budget_ms`, their 99th percentile within
    `latency_budget_ms`, and the largest memory of the process that serves it within
    `memory_budget_mb` (of 2**20 bytes), Python and TensorFlow included.
    """

    num_rows: int = pydantic.Field(default=64, ge=1, le=10_000)
    tolerance: float = pydantic.Field(default=1e-5, gt=0)
    timeout_s: float = pydantic.Field(default=120, gt=0)
    latency_budget_ms: float | None = pydantic.Field(default=None, gt=0)
    latency_p50_budget_ms: float | None = pydantic.Field(default=None, gt=0)
    memory_budget_mb: float | None = pydantic.Field(default=None, gt=0)

"""Settings of the ServingCheck."""

from __future__ import annotations

import pydantic

from components.settings import Settings


class ServingCheckSettings(Settings):
    """How the exported model is tried out.

    The first `num_rows` rows of the `eval` split are sent; an answer may differ from the
    pipeline's by `tolerance`, absolute below 1 and relative above. Loading and answering must be
    done within `timeout_s`. With `latency_budget_ms`, the 99th percentile of single-row calls on
    this machine must stay below it.
    """

    num_rows: int = pydantic.Field(default=64, ge=1, le=10_000)
    tolerance: float = pydantic.Field(default=1e-5, gt=0)
    timeout_s: float = pydantic.Field(default=120, gt=0)
    latency_budget_ms: float | None = pydantic.Field(default=None, gt=0)

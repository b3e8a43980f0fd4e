"""The base class of all settings: frozen, strict about unknown keys, validated on construction."""

from __future__ import annotations

import pydantic


class Settings(pydantic.BaseModel):
    """Settings of one stage. Each stage subclasses this in its own `settings.py`."""

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )

"""Settings of Transform."""

from __future__ import annotations

import pydantic

from components.settings import Settings


class TransformSettings(Settings):
    """How columns become ids.

    `vocabulary_size` bounds the vocabulary that all categorical columns share, most frequent
    values first; a value seen fewer than `min_count` times counts as unseen.
    """

    vocabulary_size: int = pydantic.Field(default=100_000, ge=1)
    min_count: int = pydantic.Field(default=2, ge=1)

"""Settings of Transform."""

from __future__ import annotations

import pydantic

from components.features import Cross
from components.settings import Settings


class TransformSettings(Settings):
    """How columns become ids; what is said of one column is in `features`.

    `vocabulary_size` bounds the vocabulary that all categorical columns share, most frequent
    values first, and `token_vocabulary_size` that of the words of a text column; a value or word
    seen fewer than `min_count` times counts as unseen. `crosses` are columns whose values together
    are a category.
    """

    vocabulary_size: int = pydantic.Field(default=100_000, ge=1)
    token_vocabulary_size: int = pydantic.Field(default=20_000, ge=1)
    min_count: int = pydantic.Field(default=2, ge=1)
    crosses: tuple[Cross, ...] = ()

"""Settings of the model card: what only the owner of a model can say."""

from __future__ import annotations

import pydantic

from components.settings import Settings

_TEXT = pydantic.Field(default=None, min_length=1, max_length=20_000)


class ModelCardSettings(Settings):
    """The owner's own words; what is left out, the card calls not stated.

    They are plain text: a blank line begins a paragraph, and `- ` at the begin of a line an item
    of a list. A change makes a new card; a version that was pushed keeps the one it came with.
    """

    title: str | None = pydantic.Field(default=None, min_length=1, max_length=200)
    intended_use: str | None = _TEXT
    out_of_scope: str | None = _TEXT
    limits: str | None = _TEXT
    contact: str | None = _TEXT
    license: str | None = _TEXT

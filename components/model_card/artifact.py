"""The artifact that holds a model card."""

from __future__ import annotations

from tfx.types.artifact import Artifact


class ModelCard(Artifact):
    """A model card in two forms of the same text: `model_card.md` and `model_card.html`."""

    TYPE_NAME = "ModelCard"

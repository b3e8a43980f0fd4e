"""The artifact that the gate leaves behind."""

from __future__ import annotations

from tfx.types.artifact import Artifact


class DataBlessing(Artifact):
    """Data that passed the gate: `report.json` lists the warnings."""

    TYPE_NAME = "DataBlessing"

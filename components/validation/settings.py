"""Settings of validation: where the schema is, and what the gate does about anomalies."""

from __future__ import annotations

import pydantic

from components.settings import Settings


class ValidationSettings(Settings):
    """Where the schema is, and what the gate lets pass.

    `schema_path` names a curated schema.pbtxt; without one the schema is inferred from the data.
    An anomaly stops the run unless its kind, a name of TensorFlow Metadata's `AnomalyInfo.Type`,
    stands in `warn` or `ignore`. A split with fewer than `min_rows` rows stops it too.
    """

    schema_path: str | None = None
    warn: tuple[str, ...] = ("SCHEMA_NEW_COLUMN",)
    ignore: tuple[str, ...] = ()
    min_rows: int = pydantic.Field(default=10, ge=1)

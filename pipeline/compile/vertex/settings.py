"""What only Vertex AI Pipelines has to know of a scheduled run."""

from __future__ import annotations

import pydantic

from components.settings import Settings

_IN_A_BUCKET = r"^/gcs/[a-z0-9][a-z0-9._-]+(/[A-Za-z0-9._-]+)*$"


class VertexSettings(Settings):
    """How Vertex AI Pipelines runs the compiled pipeline.

    Attributes:
        folder: in a bucket, as its containers see it (`/gcs/BUCKET/…`): `pipelines` in it holds
            what was compiled, `output` is the root, and `data` holds the data, unless a run is told
            otherwise.
        password_file: in a bucket, with the password of the metadata store; None for none.
        accelerator: what Vertex AI calls the accelerator of a task that has one.
    """

    folder: str | None = pydantic.Field(default=None, pattern=_IN_A_BUCKET)
    password_file: str | None = pydantic.Field(default=None, pattern=_IN_A_BUCKET)
    accelerator: str = pydantic.Field(default="NVIDIA_TESLA_T4", pattern=r"^[A-Za-z0-9_.-]+$")

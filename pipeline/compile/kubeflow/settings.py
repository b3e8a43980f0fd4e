"""What only Kubeflow has to know of a scheduled run."""

from __future__ import annotations

from typing import Annotated

import pydantic

from components.settings import Settings
from pipeline.compile.kubernetes import Name

# Seconds first: five fields, as cron has them, would mean other times.
Schedule = Annotated[str, pydantic.Field(pattern=r"^(\S+ ){5}\S+$|^@(every \S+|[a-z]+)$")]


class PasswordSecret(Settings):
    """The Kubernetes secret with the password of the metadata store.

    Attributes:
        name: of the secret.
        key: of the password in it.
    """

    name: Name = "waybill-metadata"
    key: str = pydantic.Field(default="password", pattern=r"^[-._a-zA-Z0-9]{1,253}$")


class KubeflowSettings(Settings):
    """How Kubeflow runs the compiled pipeline.

    Attributes:
        volume_claim: the PersistentVolumeClaim that holds the root and the data.
        mount_path: where the tasks find it; `output` in it is the root, and `data` the data,
            unless a run is told otherwise.
        password_secret: of the metadata store; None for a store without a password.
        schedule: of the recurring run: six fields, `second minute hour day month weekday`, or
            `@daily`, or `@every 12h`; None for no recurring run.
        catchup: whether a recurring run makes up for what it missed while it was disabled.
        max_concurrency: how many runs of the recurring run there may be at the same time.
    """

    volume_claim: Name = "waybill"
    mount_path: str = pydantic.Field(default="/mnt/waybill", pattern=r"^(/[A-Za-z0-9._-]+)+$")
    password_secret: PasswordSecret | None = PasswordSecret()
    schedule: Schedule | None = None
    catchup: bool = False
    max_concurrency: int = pydantic.Field(default=1, ge=1, le=10)

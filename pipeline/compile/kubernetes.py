"""What settings of several orchestrators take from Kubernetes."""

from __future__ import annotations

from typing import Annotated

import pydantic

# A name of Kubernetes.
Name = Annotated[str, pydantic.Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]

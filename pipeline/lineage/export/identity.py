"""Names of things that are the same in every export of one store, and differ between stores."""

from __future__ import annotations

import datetime
import math
import uuid
from dataclasses import dataclass
from typing import Any

# What our names begin with: no address on a network stands behind them.
URN = "urn:x-waybill:"


@dataclass(frozen=True)
class Identity:
    """Makes the ids of one store's things.

    Attributes:
        store: what tells this store from others, such as its address.
    """

    store: str

    def of(self, kind: str, key: object) -> str:
        """A UUID (version 5, of a name) of an `execution`, an `artifact`, a `run` or a `file`."""
        name = json_value(f"{URN}{self.store}/{kind}/{key}")
        return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def instant(ms: int) -> str:
    """A time as ISO 8601, UTC, to the millisecond."""
    moment = datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def json_value(value: Any) -> Any:
    """A property as JSON knows it: NaN and the infinities are text, and so is half a character."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    return value

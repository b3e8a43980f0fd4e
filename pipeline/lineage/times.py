"""Times as a user gives them."""

from __future__ import annotations

import datetime
import re

from components.errors import ConfigError

_AGO = re.compile(r"(\d+)\s*([mhdw])$")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_time(text: str, *, flag: str, now: datetime.datetime | None = None) -> int:
    """A time in milliseconds since 1970, UTC.

    Args:
        text: `2026-11-20`, `2026-11-20T10:30`, with a zone or in the reader's own; or how long
            ago: `30m`, `12h`, `7d`, `2w`.
        flag: what to call it in a message.
        now: the current time.

    Raises:
        ConfigError: it is neither.
    """
    ago = _AGO.match(text.strip())
    try:
        if ago is not None:
            moment = now if now is not None else datetime.datetime.now(datetime.UTC)
            moment -= datetime.timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            moment = datetime.datetime.fromisoformat(text.strip())
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError, OSError) as error:
        raise ConfigError(
            f"{flag} {text!r}: expected a date or time such as 2026-11-20 or 2026-11-20T10:30, or "
            "how long ago: 30m, 12h, 7d, 2w."
        ) from error

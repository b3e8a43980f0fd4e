"""A share of the requests for a version that is tried out."""

from __future__ import annotations

import dataclasses

from serving.server.errors import SettingsError


@dataclasses.dataclass(frozen=True)
class Canary:
    """A label that gets a share of the requests that name no version.

    Attributes:
        label: the label.
        percent: of the requests, 0 to 100.
    """

    label: str
    percent: float

    @classmethod
    def parse(cls, model: str, text: str) -> Canary:
        """Reads `LABEL:PERCENT`.

        Raises:
            SettingsError: it is of another form.
        """
        label, _, percent = text.partition(":")
        try:
            share = float(percent)
        except ValueError:
            share = -1.0
        if not label or not 0 <= share <= 100:
            raise SettingsError(
                f"--canary {model}={text}: expected MODEL=LABEL:PERCENT, such as "
                f"{model}=canary:5, with 0 to 100 percent."
            )
        return cls(label, share)

"""What can go wrong in a question about lineage.

WaybillError
├── ConfigError    2    the question, or the address of the store, is wrong
└── NotFound       1    nothing of that name is in the store
"""

from __future__ import annotations

from components.errors import WaybillError


class NotFound(WaybillError):
    """Nothing that is called so is in the store or in the serving folder."""

    exit_code = 1

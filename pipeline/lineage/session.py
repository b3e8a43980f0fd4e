"""What every verb is given: the store, the names, the streams to print to."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.lineage import connection
from pipeline.lineage.connection import Address

_WIDTH = 180

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.lineage.naming import Names
    from pipeline.lineage.store import LineageStore


@dataclass(frozen=True, kw_only=True)
class Session:
    """One call of the command.

    Attributes:
        address: of the store.
        serving: the serving folder that was named; None for the one beside a SQLite file.
        model: the model in it that was named.
        as_json: whether to print JSON.
    """

    address: Address
    serving: Path | None = None
    model: str | None = None
    as_json: bool = False

    @classmethod
    def of(cls, store: str, *, serving: str | None, model: str | None, as_json: bool) -> Session:
        """That of the command's flags.

        Raises:
            ConfigError: the address cannot be read.
        """
        return cls(
            address=connection.parse(store),
            serving=Path(serving) if serving is not None else None,
            model=model,
            as_json=as_json,
        )

    @cached_property
    def store(self) -> LineageStore:
        """The store, opened when it is first needed.

        Raises:
            ConfigError: there is none, or it cannot be read.
        """
        from pipeline.lineage.store import LineageStore

        return LineageStore(self.address)

    @property
    def root(self) -> Path:
        """The folder that holds a SQLite store, and what the pipeline writes beside it."""
        return self.address.path.parent

    @property
    def serving_folder(self) -> Path:
        """Where the pushed versions are looked for."""
        return self.serving if self.serving is not None else self.root / "serving"

    @cached_property
    def names(self) -> Names:
        """Turns what the user names into what is in the store."""
        from pipeline.lineage.naming import Names

        return Names(reader=self.store, folder=self.serving_folder, model=self.model)

    @cached_property
    def console(self) -> Console:
        """Where a terminal view goes; it takes no markup from what it prints."""
        from rich.console import Console

        # A program or a file that reads this cuts no lines itself.
        is_shown = sys.stdout.isatty() or "COLUMNS" in os.environ
        width = None if is_shown else _WIDTH
        return Console(markup=False, highlight=False, emoji=False, width=width)

    def print_json(self, value: Any) -> None:
        """Prints a value that `pipeline.lineage.as_json` made."""
        json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
        print()

"""Where a verb that writes a document puts it."""

from __future__ import annotations

import sys
from pathlib import Path

from components.errors import ConfigError
from pipeline.layout import write_atomically


def write(text: str, out: str | None) -> None:
    """Writes to a file, whole or not at all, or else to the output, as UTF-8 in any locale.

    Raises:
        ConfigError: the file cannot be written.
    """
    content = text.encode("utf-8", "backslashreplace")
    if out is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        write_atomically(Path(out), content)
    except OSError as error:
        raise ConfigError(f"--out {out}: cannot be written: {error.strerror or error}.") from error

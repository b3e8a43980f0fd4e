"""The files that examples were made of, as they are recorded on the artifact: JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence

from components.ingestion.sources import RawFile

# The properties of an Examples artifact: the files, and split name to rows; both JSON.
INPUT, ROWS = "waybill_input", "waybill_rows"
# More files are told by their number and size alone.
MAX_FILES = 500


def dump(files: Sequence[RawFile]) -> str:
    """The files as a JSON list of `path`, `bytes` and `sha256`, at most `MAX_FILES` of them.

    What is left out is one entry more, with `files`, their number, and `bytes`, their size.
    """
    shown = [dataclasses.asdict(file) for file in files[:MAX_FILES]]
    rest = files[MAX_FILES:]
    if rest:
        shown.append({"files": len(rest), "bytes": sum(file.bytes for file in rest)})
    return json.dumps(shown)


def with_rows(recorded: str, num_rows: Mapping[str, int]) -> str:
    """What `dump` gave with the `rows` of each file whose number is known.

    Args:
        recorded: the JSON.
        num_rows: path to rows.
    """
    files = json.loads(recorded or "[]")
    for file in files:
        rows = num_rows.get(file.get("path", ""))
        if rows is not None:
            file["rows"] = rows
    return json.dumps(files)

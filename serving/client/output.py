"""Writes answers as CSV or as lines of JSON, beside the columns of the input that are kept."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from serving import answers
from serving.client.errors import Refused, RowError, UsageError
from serving.client.rows import IMAGE, Row
from serving.client.signature import Arrays

ALL, NONE = "all", "none"
_FILE = "file"


class Writer:
    """Writes rows to an open file as they come.

    Args:
        file: where.
        format_: `csv` or `jsonl`.
        keep: the columns of the input to write too: `all`, `none`, or names with commas.
    """

    def __init__(self, file: IO[str], format_: str, keep: str) -> None:
        self._file = file
        self._is_csv = format_ == "csv"
        self._keep = keep
        self._names: list[str] = []
        self._csv = csv.writer(file, lineterminator="\n")
        self.num_rows = 0

    def write(self, rows: Sequence[Row], outputs: Arrays) -> None:
        """Writes a batch.

        Args:
            rows: what was asked.
            outputs: what was answered.

        Raises:
            Refused: the answer is not one for each row.
            RowError: a column to keep is not in a row, or is named like an answer.
        """
        try:
            columns = answers.to_columns(outputs, len(rows))
        except ValueError as error:
            raise Refused(f"The server's answer is not one for each row: {error}.") from error
        kept = [self._kept(row) for row in rows]
        if self._is_csv:
            self._write_csv(kept, {name: answers.plain(found) for name, found in columns.items()})
        else:
            for values, answer in zip(kept, answers.to_rows(outputs, len(rows)), strict=True):
                line = {**values, "answer": answer} if values else answer
                self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self.num_rows += len(rows)
        self._file.flush()

    def _write_csv(self, kept: Sequence[dict[str, Any]], columns: dict[str, Any]) -> None:
        if not self._names:
            self._names = list(kept[0])
            for name in columns:
                if name in self._names:
                    raise RowError(
                        f"The input has a column {name!r}, and so has the answer. Name the "
                        "columns to keep with --keep, or rename that one."
                    )
            self._csv.writerow([*self._names, *columns])
        for index, values in enumerate(kept):
            cells = [values.get(name) for name in self._names]
            cells += [found[index] for found in columns.values()]
            self._csv.writerow([_cell(cell) for cell in cells])

    def _kept(self, row: Row) -> dict[str, Any]:
        if self._keep == NONE:
            return {}
        if IMAGE in row.values:
            return {_FILE: row.place}
        if self._keep == ALL:
            return dict(row.values)
        names = self._keep.split(",")
        for name in names:
            if name not in row.values and self._is_csv and not self.num_rows:
                raise RowError(
                    f"{row.place}: there is no column {name!r} to keep (--keep). There are: "
                    f"{', '.join(row.values)}."
                )
        return {name: row.values.get(name) for name in names}


@contextlib.contextmanager
def opened(path: str | None) -> Iterator[IO[str]]:
    """A file that appears under its name when all is written, or the standard output.

    Raises:
        UsageError: it cannot be written.
    """
    if path is None:
        yield sys.stdout
        return
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with partial.open("x", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError as error:
        raise UsageError(
            f"--out {path} cannot be written: {error.strerror or error}. Nothing is left there."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _cell(value: Any) -> Any:
    """A value of JSON in one cell."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return str(value).lower()
    return value

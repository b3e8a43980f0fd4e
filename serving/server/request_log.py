"""Writes requests down, as lines of JSON, for whoever compares them with the training data.

A line is what the drift check reads: the rows by column, with a little about the request in front.

    {"time": "…", "model": "taxi", "version": 3, "signature": "serving_raw", "instances": [{…}]}

Values that stand for a missing one are left out, and so are redacted columns. Serialized
tf.Examples are `{"b64": …}`. A thread of its own writes; when it cannot keep up, requests are not
written but counted, for no request waits for the log.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import math
import queue
import random
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from serving import columns
from serving.protos import example_pb2
from serving.server.metrics import Metrics
from serving.server.servable import Servable
from serving.server.settings import LogSettings

PREFIX = "requests-"
SUFFIX = ".jsonl"
_MAX_WAITING = 1000
_MAX_WAITING_BYTES = 64 << 20
_MAX_KNOWN_VERSIONS = 16
_Arrays = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Entry:
    time: datetime.datetime
    model: str
    version: int
    path: Path
    signature: str
    inputs: _Arrays
    num_bytes: int


class RequestLog:
    """The log of one engine; without a folder it does nothing."""

    def __init__(self, settings: LogSettings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._queue: queue.Queue[_Entry | None] = queue.Queue(_MAX_WAITING)
        self._waiting_bytes = 0
        self._counting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._names: dict[Path, Mapping[str, str]] = {}

    def start(self) -> None:
        """Begins to write.

        Raises:
            OSError: the folder cannot be made.
        """
        if self._settings.folder is None:
            return
        self._settings.folder.mkdir(parents=True, exist_ok=True)
        self._thread = threading.Thread(target=self._write_all, name="request log", daemon=True)
        self._thread.start()

    def note(self, servable: Servable, signature: str, inputs: _Arrays) -> None:
        """Has a request written, if it is of the sample; never waits."""
        if self._thread is None or random.random() >= self._settings.sample:
            return
        entry = _Entry(
            time=datetime.datetime.now(datetime.UTC),
            model=servable.model,
            version=servable.version,
            path=servable.path,
            signature=signature,
            inputs=inputs,
            num_bytes=sum(_num_bytes(array) for array in inputs.values()),
        )
        try:
            if self._waiting_bytes + entry.num_bytes > _MAX_WAITING_BYTES:
                raise queue.Full
            self._queue.put_nowait(entry)
            self._count(entry.num_bytes)
        except queue.Full:
            self._metrics.dropped.inc()

    def close(self) -> None:
        """Writes what is left, and ends."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _count(self, num_bytes: int) -> None:
        with self._counting:
            self._waiting_bytes += num_bytes

    def _write_all(self) -> None:
        assert self._settings.folder is not None
        files = _Files(self._settings.folder, self._settings.max_bytes, self._settings.num_files)
        while (entry := self._queue.get()) is not None:
            self._count(-entry.num_bytes)
            try:
                files.write(self._line(entry))
                self._metrics.logged.inc()
            except Exception:  # A full disk must not end the log, still less the server.
                self._metrics.dropped.inc()
        files.close()

    def _line(self, entry: _Entry) -> bytes:
        if entry.path not in self._names:
            if len(self._names) >= _MAX_KNOWN_VERSIONS:
                self._names.clear()
            self._names[entry.path] = _column_names(entry.path)
        names, redact = self._names[entry.path], frozenset(self._settings.redact)
        document = {
            "time": entry.time.isoformat(timespec="milliseconds"),
            "model": entry.model,
            "version": entry.version,
            "signature": entry.signature,
            "instances": list(_instances(entry.inputs, names, redact)),
        }
        return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)


class _Files:
    """Files of a bounded size, of which the newest are kept."""

    def __init__(self, folder: Path, max_bytes: int, num_files: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._num_files = num_files
        self._file: Any = None

    def write(self, line: bytes) -> None:
        if self._file is not None and self._file.tell() + len(line) > self._max_bytes:
            self.close()
        if self._file is None:
            self._begin()
        self._file.write(line)
        # Whoever reads the log sees whole lines, and a killed server loses none.
        self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self) -> None:
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S_%f")
        self._file = (self._folder / f"{PREFIX}{stamp}{SUFFIX}").open("ab")
        written = sorted(self._folder.glob(f"{PREFIX}*{SUFFIX}"))
        for old in written[: -self._num_files]:
            old.unlink(missing_ok=True)


def _instances(
    inputs: _Arrays, names: Mapping[str, str], redact: frozenset[str]
) -> Iterator[dict[str, Any]]:
    (only, *others) = inputs
    if not others and inputs[only].dtype == object and only not in names:
        for value in inputs[only].reshape(-1).tolist():
            row = _without(value, redact) if redact else value
            yield {"b64": base64.b64encode(row).decode("ascii")}
        return
    kept = {
        column: array.tolist()
        for name, array in inputs.items()
        if array.ndim and (column := names.get(name, name)) not in redact and name not in redact
    }
    num_rows = max(map(len, kept.values()), default=0)
    for i in range(num_rows):
        row = ((name, _plain(rows[i])) for name, rows in kept.items() if i < len(rows))
        yield {name: value for name, value in row if value is not None}


def _plain(value: Any) -> Any:
    """A value as JSON has it; None if it stands for a missing one."""
    if isinstance(value, list):
        return [item for item in map(_plain, value) if item is not None] or None
    if isinstance(value, bytes):
        try:
            return value.decode() or None
        except UnicodeDecodeError:
            return {"b64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return None if value == columns.MISSING["int"] else value


def _num_bytes(array: np.ndarray) -> int:
    return sum(map(len, array.reshape(-1))) if array.dtype == object else array.nbytes


def _without(example: bytes, redact: frozenset[str]) -> bytes:
    """A serialized tf.Example without the redacted columns; nothing of what is none."""
    try:
        parsed = example_pb2.Example.FromString(example)
    except Exception:
        return b""
    for name in redact:
        parsed.features.feature.pop(name, None)
    written: bytes = parsed.SerializeToString(deterministic=True)
    return written


def _column_names(version: Path) -> Mapping[str, str]:
    """The column of each input of a version, where a data_spec tells them."""
    try:
        spec = columns.read_columns(version)
    except Exception:
        return {}
    return {column.input: column.name for column in spec.columns} if spec is not None else {}

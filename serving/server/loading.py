"""Loads one version: the model and its warm-up, so that no client waits for the first call."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

from serving.errors import ModelError
from serving.runtime import SavedModel
from serving.server import warmup

SAVED_MODEL = "saved_model.pb"


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A model that is ready to answer, how long that took, and how many requests warmed it up."""

    saved_model: SavedModel
    seconds: float
    num_warmups: int


class Loader:
    """Loads and unloads models; called in a thread of its own, for it takes long."""

    def __init__(self, *, num_threads: int, timeout_s: float) -> None:
        """Loads nothing yet.

        Args:
            num_threads: of each of TensorFlow's pools; 0 is one for each core.
            timeout_s: after this time TensorFlow gives up a call.
        """
        self._num_threads = num_threads
        self._timeout_ms = round(1000 * timeout_s)

    def load(self, path: Path) -> Loaded:
        """Loads the version in `path` and replays its warm-up.

        Raises:
            ModelError: it does not load, or fails on its own warm-up requests.
        """
        started = time.perf_counter()
        model = SavedModel(path, num_threads=self._num_threads, timeout_ms=self._timeout_ms)
        try:
            num_warmups = warmup.replay(model, path)
        except ModelError:
            model.close()
            raise
        return Loaded(model, time.perf_counter() - started, num_warmups)


def mark_of(path: Path) -> object:
    """Differs once a version that does not load was mended."""
    try:
        stat = (path / SAVED_MODEL).stat()
    except OSError as error:
        return error.errno
    return stat.st_ino, stat.st_size, stat.st_mtime_ns

"""Experiment trackers: they take each value once and for all.

What a tracker was sent cannot be taken back, but training may be killed and go on from a
checkpoint, or go back to one. So values wait until a checkpoint holds them. A file knows the
tracker's run and the last step that was sent:

    <directory>/<tracker>.json      {"run": "3f1c…", "sent": 400}
"""

from __future__ import annotations

import functools
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import pydantic

from components import progress
from components.training.files import write_atomically
from components.training.watching.writer import End, Parameter, Split, Writer

_MOST = 1000
_log = logging.getLogger(__name__)


class Metric(NamedTuple):
    """One value of one curve, such as `eval/auc`, and when it was measured, in ms since 1970."""

    name: str
    value: float
    step: int
    time_ms: int


class Remembered(pydantic.BaseModel):
    """What an earlier process of the same training left with a tracker."""

    run: str = ""
    sent: int = 0


class Backend(Protocol):
    """A run of one tracker; any method may raise when that cannot be reached, or refuses.

    Attributes:
        name: the tracker's name, as a user knows it.
        run: names the run in the tracker.
    """

    name: str
    run: str

    def metrics(self, metrics: Sequence[Metric]) -> None:
        """Sends at most 1000 values, all or none of them."""

    def picture(self, name: str, png: bytes, step: int) -> None:
        """Sends a picture."""

    def text(self, name: str, markdown: str) -> None:
        """Sends a text."""

    def parameters(self, values: Mapping[str, Parameter]) -> None:
        """Sends the hyper-parameters; the same ones may be sent again."""

    def close(self, end: End) -> None:
        """Ends the run."""


class Tracker(Writer):
    """Holds values back until they are final; a tracker that fails never ends a training."""

    def __init__(self, backend: Backend, memory: Path, *, sent: int = 0) -> None:
        """Opens the tracker.

        Args:
            backend: the run.
            memory: the JSON file that remembers it.
            sent: the last step whose values it has.
        """
        self._backend = backend
        self._memory = memory
        self._waiting: list[Metric] = []
        self._is_reachable = True
        self.last_step = sent
        self._remember()

    def scalars(self, split: Split, values: Mapping[str, float], step: int) -> None:
        """See `Writer`."""
        if step > self.last_step:
            now = time.time_ns() // 1_000_000
            self._waiting += [
                Metric(f"{split}/{name}", float(value), step, now) for name, value in values.items()
            ]

    def picture(self, name: str, png: bytes, step: int) -> None:
        """See `Writer`."""
        self._try(lambda: self._backend.picture(name, png, step))

    def text(self, name: str, markdown: str) -> None:
        """See `Writer`."""
        self._try(lambda: self._backend.text(name, markdown))

    def parameters(self, values: Mapping[str, Parameter]) -> None:
        """See `Writer`."""
        self._try(lambda: self._backend.parameters(values))

    def rewind(self, step: int) -> None:
        """See `Writer`."""
        self._waiting = [metric for metric in self._waiting if metric.step <= step]

    def commit(self, step: int) -> None:
        """See `Writer`."""
        num_final = sum(metric.step <= step for metric in self._waiting)
        if not num_final:
            return
        while num_final:
            part = self._waiting[: min(num_final, _MOST)]
            if not self._try(functools.partial(self._backend.metrics, part)):
                return
            del self._waiting[: len(part)]
            num_final -= len(part)
        self.last_step = step
        self._remember()

    def close(self, end: End) -> None:
        """See `Writer`. What no checkpoint holds is sent too: it may tell why training failed."""
        if self._waiting:
            self.commit(self._waiting[-1].step)
        if self._waiting:
            _log.warning("%s: %d values were not sent.", self._backend.name, len(self._waiting))
        self._try(lambda: self._backend.close(end))

    def _try(self, send: Callable[[], None]) -> bool:
        try:
            send()
        # Trackers raise all kinds of errors, MLflow even bare ones.
        except Exception as error:
            _log.warning("%s: %s", self._backend.name, error)
            if self._is_reachable:
                self._is_reachable = False
                progress.report(
                    "Trainer",
                    note=f"{self._backend.name} does not take what it is sent (the log says why); "
                    "training goes on, and tries again at each checkpoint",
                )
            return False
        self._is_reachable = True
        return True

    def _remember(self) -> None:
        content = Remembered(run=self._backend.run, sent=self.last_step).model_dump_json()
        write_atomically(self._memory, content.encode())


def recall(memory: Path) -> Remembered:
    """What `Tracker` remembered in `memory`; empty where there is nothing that can be read."""
    try:
        return Remembered.model_validate(json.loads(memory.read_bytes()))
    except (OSError, ValueError):
        return Remembered()

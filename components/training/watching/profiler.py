"""TensorFlow's profiler, between two steps."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from components.training.loop import Moment, When


class Profiler(When):
    """Records from after step `first` to after step `last`; as an action it is its own rule.

    The loop looks up at both steps, so that whole calls are recorded. A window that begins before
    the first step to come begins at once; one that the training has passed is not recorded.
    """

    def __init__(self, directory: Path, *, first: int, last: int, start: int) -> None:
        """Prepares the window.

        Args:
            directory: the training's folder for TensorBoard; the trace goes below `plugins`.
            first: the step after which to begin.
            last: the step after which to end.
            start: how many steps are done.
        """
        self._directory = directory
        self._first, self._last = first, last
        self._is_on = False
        self._move(start)

    def next_after(self, step: int) -> int | None:
        """See `When`."""
        return next((edge for edge in (self._first, self._last) if edge > step), None)

    def __call__(self, moment: Moment) -> bool:
        """See `When`."""
        return moment.step in (self._first, self._last) or (self._is_on and moment.is_last)

    def act(self, moment: Moment) -> None:
        """Begins or ends the recording."""
        if moment.is_last:
            self.close()
        else:
            self._move(moment.step)

    def close(self) -> None:
        """Ends the recording, if it is on, and writes it."""
        if self._is_on:
            self._is_on = False
            tf.profiler.experimental.stop()

    def _move(self, step: int) -> None:
        if self._first <= step < self._last and not self._is_on:
            self._directory.mkdir(parents=True, exist_ok=True)
            tf.profiler.experimental.start(str(self._directory))
            self._is_on = True
        elif step >= self._last:
            self.close()

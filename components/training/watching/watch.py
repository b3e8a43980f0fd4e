"""Watches a training: writes what its history says to all the places that were asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from components.errors import ConfigError, Interrupted
from components.features import Label
from components.training.history import History, Point
from components.training.loop import Action, EverySteps, Moment
from components.training.settings import WatchSettings
from components.training.watching.curves import one_against_rest, threshold_counts
from components.training.watching.requirements import require_trackers
from components.training.watching.writer import End, Parameter, Writer

if TYPE_CHECKING:
    import tensorflow as tf

    from components.training.evaluation import Evaluated
    from components.training.learner import Learner
    from components.training.watching.profiler import Profiler

# A chart of each class would be too many to read.
_MOST_CLASSES = 8


class Watch:
    """Tells the writers what happens.

    Attributes:
        latest: the newest evaluation; None before the first of this process.
    """

    def __init__(
        self,
        settings: WatchSettings,
        writers: Sequence[Writer],
        *,
        label: Label,
        profiler: Profiler | None = None,
    ) -> None:
        """Gets ready; see `open_watch`."""
        self.latest: Evaluated | None = None
        self._settings = settings
        self._writers = tuple(writers)
        self._label = label
        self._profiler = profiler
        self._history: History | None = None
        self._needs_graph = settings.graph and bool(writers)

    def describe(self, parameters: Mapping[str, Parameter], texts: Mapping[str, str]) -> None:
        """Writes the hyper-parameters, and texts in Markdown by name."""
        for writer in self._writers:
            writer.parameters(parameters)
            for name, markdown in texts.items():
                writer.text(name, markdown)

    def begin(self, history: History, start: int) -> None:
        """Goes on from step `start`, at the beginning and whenever training went back.

        Args:
            history: what was measured up to there; new points are read from its end.
            start: how many steps are done.
        """
        is_first, self._history = self._history is None, history
        for writer in self._writers:
            writer.rewind(start)
            if is_first:
                _replay(history, writer)

    def actions(self, learner: Learner) -> list[Action]:
        """What the loop shall do, after the history of the moment was recorded."""

        def point(moment: Moment) -> None:
            self._point(learner, moment)

        found = [Action(EverySteps(self._settings.log_every_steps), point)]
        if self._profiler is not None:
            found.append(Action(self._profiler, self._profiler.act))
        return found

    def evaluated(self, learner: Learner, moment: Moment, evaluated: Evaluated) -> None:
        """Writes an evaluation: metrics, precision-recall curves, histograms of the weights."""
        self.latest = evaluated
        for writer in self._writers:
            writer.scalars("eval", evaluated.metrics, moment.step)
        if not self._writers:
            return
        if self._label.problem != "regression" and evaluated.labels.size:
            for name, positives, scores in one_against_rest(
                self._label, evaluated.labels, evaluated.scores, most=_MOST_CLASSES
            ):
                counts = threshold_counts(positives, scores)
                for writer in self._writers:
                    writer.curve(f"precision_recall/{name}", counts, moment.step)
        if self._settings.histograms:
            for weights in learner.weights:
                values = np.asarray(weights.numpy(), np.float32)
                for writer in self._writers:
                    writer.histogram(weights.path, values, moment.step)

    def pictures(self, pictures: Mapping[str, bytes], step: int) -> None:
        """Writes PNG pictures by name."""
        for writer in self._writers:
            for name, png in pictures.items():
                writer.picture(name, png, step)

    def commit(self, moment: Moment) -> None:
        """To be done after a checkpoint was saved: all up to it is final."""
        for writer in self._writers:
            writer.commit(moment.step)

    def close(self, end: End) -> None:
        """Writes what is left; nothing may follow."""
        if self._profiler is not None:
            self._profiler.close()
        for writer in self._writers:
            writer.close(end)

    def _point(self, learner: Learner, moment: Moment) -> None:
        assert self._history is not None, "begin() comes first"
        point = self._history.curve[-1]
        assert point.step == moment.step, "the point is recorded before it is written"
        for writer in self._writers:
            writer.scalars("train", _values(point), point.step)
        if self._needs_graph:
            self._needs_graph = False
            graph = _model_graph(learner, moment)
            for writer in self._writers:
                writer.graph(graph)


@contextlib.contextmanager
def open_watch(
    settings: WatchSettings,
    *,
    directory: Path,
    name: str,
    label: Label,
    start: int,
    is_chief: bool = True,
) -> Iterator[Watch]:
    """Watches a training, whatever its end.

    Args:
        settings: where to write, what, and how often.
        directory: a folder of this training alone, which outlives a killed process: event files
            for TensorBoard, and what the trackers must remember.
        name: of the run, for people.
        label: what is predicted.
        start: the step of the checkpoint that training goes on from, or 0.
        is_chief: false for all but one of several processes that train together; nothing is
            written for them.

    Raises:
        ConfigError: a tracker is not installed, cannot be reached, or refuses its key.
    """
    profiler: Profiler | None = None
    writers: list[Writer] = []
    if is_chief:
        require_trackers(settings)
        directory.mkdir(parents=True, exist_ok=True)
        writers = _open_writers(settings, directory, name, start)
        profiler = _open_profiler(settings, directory, start)
    watch = Watch(settings, writers, label=label, profiler=profiler)
    end: End = "failed"
    try:
        yield watch
        end = "finished"
    except (Interrupted, KeyboardInterrupt):
        end = "killed"
        raise
    finally:
        watch.close(end)


def _open_writers(settings: WatchSettings, directory: Path, name: str, start: int) -> list[Writer]:
    # Each is imported only if it is asked for: an import takes up to two seconds.
    writers: list[Writer] = []
    try:
        if settings.mlflow is not None:
            from components.training.watching.mlflow_writer import open_mlflow

            writers.append(open_mlflow(settings.mlflow, directory=directory, name=name))
        if settings.comet is not None:
            from components.training.watching.comet_writer import open_comet

            writers.append(open_comet(settings.comet, directory=directory, name=name))
    except ConfigError:
        for writer in writers:
            writer.close("failed")
        raise
    if settings.tensorboard:
        from components.training.watching.tensorboard_writer import TensorBoardWriter

        writers.append(TensorBoardWriter(directory, name=name, start=start))
    return writers


def _open_profiler(settings: WatchSettings, directory: Path, start: int) -> Profiler | None:
    if settings.profile is None:
        return None
    from components.training.watching.profiler import Profiler

    first, last = settings.profile
    return Profiler(directory, first=first, last=last, start=start)


def _values(point: Point) -> dict[str, float]:
    """What a point of the curve says, by the name of its chart."""
    return point.model_dump(exclude={"step", "elapsed_s"})


def _replay(history: History, writer: Writer) -> None:
    """Gives a writer what an earlier process measured and could not hand over."""
    for point in history.curve:
        if point.step > writer.last_step:
            writer.scalars("train", _values(point), point.step)
    for evaluation in history.evaluations:
        if evaluation.step > writer.last_step:
            writer.scalars("eval", evaluation.metrics, evaluation.step)


def _model_graph(learner: Learner, moment: Moment) -> tf.Graph:
    """The graph that answers rows like those of this moment."""
    import tensorflow as tf

    from components.training.columns import inputs_of

    columns = {
        name: tf.TensorSpec([None, *column.shape[1:]], column.dtype, name)
        for name, column in inputs_of(moment.call.rows).items()
    }
    answer = tf.function(learner.scores, autograph=False)
    return answer.get_concrete_function(columns).graph

"""Trains one model in one way and prints what it cost, as JSON; started by `benchmarks.training`.

All ways train the same network with the same optimizer on the same transformed examples.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components.features import LABEL, DataSpec
from components.training import budget
from components.training.batches import Batches, Call, Position
from components.training.checkpoints import Checkpoints
from components.training.columns import prepare
from components.training.data import Split, open_windows
from components.training.feed import feed
from components.training.job import Job
from components.training.learner import make_learner
from components.training.models.build import build_model
from components.training.models.shape import input_shape
from components.training.settings import TrainingSettings
from components.training.step import RunSteps
from components.training.strategy import place
from components.training.train import train

_BUFFER_BYTES = 4 * 2**20


class Cost(NamedTuple):
    """What a way of training cost.

    Attributes:
        examples_per_s: after the first call.
        first_s: the seconds of the first call, in which TensorFlow traces and compiles.
    """

    examples_per_s: float
    first_s: float


class Task(NamedTuple):
    """What to train on what."""

    spec: DataSpec
    files: str
    graph: str
    settings: TrainingSettings

    @property
    def split(self) -> Split:
        """The training examples."""
        columns = tft.TFTransformOutput(self.graph).transformed_feature_spec()
        return Split.matching([self.files], columns, self.spec)

    @property
    def model(self) -> keras.Model:
        """The network that all ways train."""
        shape = input_shape(self.spec, tft.TFTransformOutput(self.graph))
        return build_model(self.settings.model, shape, units=1, seed=0)

    @property
    def steps(self) -> int:
        """How many steps are measured."""
        assert self.settings.steps is not None
        return self.settings.steps


def stock_fit(task: Task) -> Cost:
    """`model.fit` on TFX's own data set, as the stock template calls it."""
    from tfx_bsl.public import tfxio

    schema = tft.TFTransformOutput(task.graph).transformed_metadata.schema
    source = tfxio.TFExampleRecord(file_pattern=task.files, schema=schema)
    options = tfxio.TensorFlowDatasetOptions(batch_size=task.settings.batch_size, label_key=LABEL)
    return _fit(task, source.TensorFlowDataset(options).repeat(), jit_compile=False)


def tuned_fit(task: Task) -> Cost:
    """`model.fit` with batches parsed, cached and prefetched, many steps a call, and XLA."""
    split = task.split

    def parse(records: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        columns = prepare(tf.io.parse_example(records, split.feature_spec), task.spec)
        return {n: c for n, c in columns.items() if n != LABEL}, columns[LABEL]

    data = (
        tf.data.Dataset.from_tensor_slices(list(split.files))
        .interleave(
            lambda path: tf.data.TFRecordDataset(path, "GZIP", buffer_size=_BUFFER_BYTES),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=False,
        )
        .batch(task.settings.batch_size, drop_remainder=True)
        .map(parse, num_parallel_calls=tf.data.AUTOTUNE)
    )
    if task.settings.input.cache_bytes:
        data = data.cache()
    data = data.repeat().prefetch(tf.data.AUTOTUNE)
    return _fit(task, data, jit_compile=True, steps_per_execution=50)


def _fit(task: Task, data: tf.data.Dataset, **compiling: Any) -> Cost:
    model = task.model
    model.compile(
        optimizer=keras.optimizers.Adam(0.002),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy()],
        **compiling,
    )
    rates = _Epochs()
    # The first epoch warms up, and fills the cache where there is one.
    size = task.settings.batch_size
    num_rows = task.split.num_rows()
    warm = min(max(50, -(-num_rows // size)), task.steps * 4)
    warm = -(-warm // 50) * 50
    model.fit(data, steps_per_epoch=warm, epochs=1, verbose=0, callbacks=[rates])
    model.fit(data, steps_per_epoch=task.steps, epochs=1, verbose=0, callbacks=[rates])
    return Cost(task.steps * size / rates.seconds[-1], rates.first_s)


class _Epochs(keras.callbacks.Callback):
    """The seconds of each epoch, and of the first batch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self.first_s = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._begin = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.first_s = self.first_s or time.perf_counter() - self._begin

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds.append(time.perf_counter() - self._begin)


def ours(task: Task) -> Cost:
    """The whole of `train`, checkpoints and learning curve included, up to its only evaluation."""
    watch = {"evaluate_every_steps": 2 * task.steps}
    settings = TrainingSettings.model_validate({**task.settings.model_dump(), "watch": watch})
    job = Job(
        settings=settings,
        data_spec=task.spec,
        train_files=(task.files,),
        eval_files=(task.files,),
        transform_graph=task.graph,
        code="",
    )
    with tempfile.TemporaryDirectory() as folder:
        trained = train(job, Checkpoints(Path(folder), job.facts()))
    # The last point comes after the evaluation.
    first, last = trained.history.curve[0], trained.history.curve[-2]
    assert last.examples_per_s is not None
    return Cost(last.examples_per_s, first.elapsed_s or 0.0)


def limit(task: Task) -> Cost:
    """The same compiled steps on one batch that stays in memory."""
    size, settings = task.settings.batch_size, task.settings
    windows = open_windows(
        task.split, cache_bytes=2**40, shuffle_rows=1, shuffle_bytes=2**20, seed=0
    )
    rows = {name: np.asarray(column[:size]) for name, column in next(windows.epoch(0)).items()}
    placement = place(settings.execution)
    shape = input_shape(task.spec, tft.TFTransformOutput(task.graph))
    learner = make_learner(settings, task.spec.label, shape, placement, total_steps=task.steps)
    call_steps = settings.execution.steps_per_call
    run = RunSteps(
        learner,
        settings.optimizer,
        call_steps=call_steps,
        batch_size=size,
        jit_compile=budget.uses_xla(settings, task.steps, placement, is_table=True),
    )
    index = np.tile(np.arange(size, dtype=np.int32), (call_steps, 1))
    return _time(lambda: run(Call(rows, index, Position())), task.steps // call_steps, task)


def input_alone(task: Task) -> Cost:
    """The batches without the steps."""
    settings = task.settings
    windows = open_windows(
        task.split,
        cache_bytes=settings.input.cache_bytes,
        shuffle_rows=settings.input.shuffle_rows,
        shuffle_bytes=settings.input.shuffle_bytes,
        seed=0,
    )
    batches = Batches(windows, batch_size=settings.batch_size, seed=0)
    call_steps = settings.execution.steps_per_call
    calls = feed(batches, iter([call_steps] * (1 + task.steps // call_steps)))
    return _time(lambda: next(calls), task.steps // call_steps, task)


def _time(call: Callable[[], object], num_calls: int, task: Task) -> Cost:
    begin = time.perf_counter()
    call()
    first_s = time.perf_counter() - begin
    begin = time.perf_counter()
    for _ in range(num_calls):
        call()
    num_rows = num_calls * task.settings.execution.steps_per_call * task.settings.batch_size
    return Cost(num_rows / (time.perf_counter() - begin), first_s)


_WAYS = {way.__name__: way for way in (stock_fit, tuned_fit, ours, limit, input_alone)}


def main() -> int:
    """Measures what the flags say."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_contender")
    parser.add_argument("way", choices=_WAYS)
    parser.add_argument("--files", required=True)
    parser.add_argument("--graph", required=True)
    parser.add_argument("--spec", required=True, type=Path)
    parser.add_argument("--settings", required=True)
    args = parser.parse_args()
    task = Task(
        spec=DataSpec.model_validate_json(args.spec.read_text()),
        files=args.files,
        graph=args.graph,
        settings=TrainingSettings.model_validate_json(args.settings),
    )
    print(json.dumps(_WAYS[args.way](task)._asdict()))
    return 0


if __name__ == "__main__":
    sys.exit(main())

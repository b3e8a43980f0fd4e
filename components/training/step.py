"""The inner loop: many optimizer steps in one call into TensorFlow."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from components.training.batches import Call
from components.training.columns import Columns
from components.training.data import Rows
from components.training.learner import Learner
from components.training.settings import OptimizerSettings


class Steps(NamedTuple):
    """What the steps of one call saw.

    Attributes:
        losses: the loss of each step's batch before the step, float32 [num_steps]; without
            regularisation, to compare with an evaluation.
        norms: the global norm of each step's gradient before it is clipped; empty if not measured.
    """

    losses: np.ndarray
    norms: np.ndarray


class RunSteps:
    """Trains a learner; TensorFlow traces it once."""

    def __init__(
        self,
        learner: Learner,
        settings: OptimizerSettings,
        *,
        call_steps: int,
        batch_size: int,
        pads: bool = False,
        norms: bool = False,
        jit_compile: bool = False,
    ) -> None:
        """Compiles nothing yet.

        Args:
            learner: what the steps change: its variables that are trainable right now.
            settings: accumulation and averaging.
            call_steps: the most steps of a call.
            batch_size: the rows of a step, over all replicas.
            pads: whether a batch may have rows that do not count.
            norms: whether the norms of gradients are measured.
            jit_compile: whether XLA compiles the steps; only on one device.
        """
        self._learner = learner
        self._settings = settings
        self._call_steps = call_steps
        self._batch_size = batch_size
        self._variables = list(learner.model.trainable_variables)
        # Each replica takes the same number of rows, in as many parts as are accumulated.
        parts = learner.placement.num_replicas * settings.accumulate
        self._part_rows = math.ceil(batch_size / parts)
        self._pads = pads or batch_size % parts > 0
        self._fill = parts * self._part_rows - batch_size
        self._norms = norms
        self._source: Rows | None = None
        self._table: Columns = {}
        self._run = tf.function(
            self._steps, jit_compile=jit_compile, autograph=False, reduce_retracing=True
        )

    def __call__(self, call: Call) -> Steps:
        """Makes the steps of `call`."""
        num_steps = len(call.index)
        size = self._batch_size
        index = np.full((self._call_steps, size + self._fill), -1, dtype=np.int32)
        index[:num_steps, :size] = call.index
        with tf.device(self._learner.placement.device):
            if call.rows is not self._source:
                self._source = call.rows
                self._table = self._on_device(call.rows)
            losses, norms = self._run(self._table, tf.constant(index), tf.constant(num_steps))
        return Steps(losses.numpy()[:num_steps], norms.numpy()[: num_steps * self._norms])

    def _on_device(self, rows: Rows) -> Columns:
        """The table as tensors, never smaller than a call's rows, so that it has one shape."""
        missing = self._call_steps * self._batch_size - len(next(iter(rows.values())))
        if missing > 0:
            rows = {
                name: np.pad(column, [(0, missing), *[(0, 0)] * (len(column.shape) - 1)])
                for name, column in rows.items()
            }
        return {name: tf.identity(column) for name, column in rows.items()}

    def _steps(
        self, table: Columns, index: tf.Tensor, num_steps: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Steps 0 .. num_steps - 1 of `index` [call_steps, rows of a batch]."""
        strategy = self._learner.placement.strategy
        empty = tf.TensorArray(tf.float32, size=self._call_steps, element_shape=[])

        def body(i: tf.Tensor, losses: Any, norms: Any) -> tuple[Any, ...]:
            if strategy is None:
                loss, norm = self._step(table, index[i], 0)
            else:
                loss, norm = strategy.run(self._replica_step, args=_batch(table, index[i]))
                loss = strategy.reduce(tf.distribute.ReduceOp.SUM, loss, axis=None)
                norm = strategy.experimental_local_results(norm)[0]
            return i + 1, losses.write(i, loss), norms.write(i, norm)

        _, losses, norms = tf.while_loop(
            lambda i, *_: i < num_steps, body, (0, empty, empty), parallel_iterations=1
        )
        return losses.stack(), norms.stack()

    def _replica_step(self, table: Columns, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return self._step(table, index, replica)

    def _step(self, table: Columns, index: tf.Tensor, replica: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """One optimizer step with the rows of `index`, of which this replica takes its share.

        Returns the share of the loss, and the global norm of the whole gradient.
        """
        learner, rows = self._learner, self._part_rows
        accumulate, num_replicas = self._settings.accumulate, learner.placement.num_replicas
        present = tf.cast(index >= 0, tf.float32) if self._pads else None
        num_rows = tf.reduce_sum(present) if present is not None else float(index.shape[0])
        share = replica * accumulate * rows

        def part(number: Any) -> tuple[tf.Tensor, list[tf.Tensor]]:
            start = share + number * rows
            # Not by index[a:b], whose size XLA does not know.
            taken = tf.slice(index, [start], [rows])
            columns = {n: tf.gather(c, tf.maximum(taken, 0)) for n, c in table.items()}
            mask = tf.slice(present, [start], [rows]) if present is not None else None
            with tf.GradientTape() as tape:
                terms = learner.objective(columns, mask, num_rows)
                objective = terms.loss + terms.penalty / (num_replicas * accumulate)
                objective = learner.optimizer.scale_loss(objective)
            variables = [variable.value for variable in self._variables]
            # Dense, for Keras squares the parts of a sparse gradient one by one, so that an id
            # twice in a batch would get a step that is not Adam's.
            gradients = tape.gradient(
                objective, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            return terms.loss, [tf.convert_to_tensor(gradient) for gradient in gradients]

        loss, gradients = part(0)
        if accumulate > 1:
            loss, gradients = self._accumulate(part, loss, gradients)
        if num_replicas > 1:
            context = tf.distribute.get_replica_context()
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        norm = self._norm(gradients)
        if num_replicas > 1:  # Keras adds up over the replicas once more.
            gradients = [gradient / num_replicas for gradient in gradients]
        learner.optimizer.apply(gradients, self._variables)
        self._average()
        if num_replicas > 1:
            self._share_statistics()
        return loss, norm

    def _accumulate(
        self, part: Any, loss: tf.Tensor, gradients: list[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Adds the loss and the gradients of all parts but the first, one after the other."""

        def body(number: tf.Tensor, loss: tf.Tensor, sums: list[tf.Tensor]) -> tuple[Any, ...]:
            more, gradients = part(number)
            return number + 1, loss + more, [s + g for s, g in zip(sums, gradients, strict=True)]

        _, loss, gradients = tf.while_loop(
            lambda number, *_: number < self._settings.accumulate,
            body,
            (1, loss, gradients),
            parallel_iterations=1,
        )
        return loss, gradients

    def _norm(self, gradients: list[tf.Tensor]) -> tf.Tensor:
        if not self._norms:
            return tf.constant(0.0)
        return tf.linalg.global_norm(gradients) / self._learner.optimizer.scale_loss(1.0)

    def _share_statistics(self) -> None:
        """Gives all replicas the mean of what each has seen of the data: batch normalisation's."""
        learning = {id(v) for v in self._learner.trainable}  # Some may be frozen just now.
        moving = [
            v.value
            for v in self._learner.model.non_trainable_weights
            if v.value.dtype.is_floating and id(v) not in learning
        ]
        if moving:
            context = tf.distribute.get_replica_context()
            own = [variable.read_value() for variable in moving]
            means = context.all_reduce(tf.distribute.ReduceOp.MEAN, own)
            for variable, mean in zip(moving, means, strict=True):
                variable.assign(mean)

    def _average(self) -> None:
        """Moves the averages towards the weights; after the first step they are the weights."""
        learner = self._learner
        if not learner.averages:
            return
        momentum = self._settings.ema * tf.cast(learner.optimizer.iterations > 1, tf.float32)
        for average, weight in zip(learner.averages, learner.trainable, strict=True):
            average.assign(momentum * average + (1 - momentum) * weight.value)


def _batch(table: Columns, index: tf.Tensor) -> tuple[Columns, tf.Tensor]:
    """The rows of one batch as a table of their own, and what takes them from it.

    A replica on another device would otherwise be sent the whole table in every step.
    """
    rows = {name: tf.gather(column, tf.maximum(index, 0)) for name, column in table.items()}
    return rows, tf.where(index < 0, -1, tf.range(index.shape[0]))

"""What processes that train together must do alike, though each could decide it for itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from components.errors import ConfigError
from components.training.evaluation import Evaluated
from components.training.strategy import Placement


class Agreement:
    """Lets processes know of each other; all must call the same methods in the same order."""

    def __init__(self, placement: Placement) -> None:
        """Between the workers of `placement`; one alone agrees with itself."""
        self._placement = placement
        self._gather = tf.function(self._sum_up, autograph=False, reduce_retracing=True)

    def gather(self, values: Sequence[float]) -> np.ndarray:
        """The values of every worker, float64 [num_workers, num_values]; waits for all of them."""
        if self._placement.num_workers == 1:
            return np.array([values], np.float64)
        with tf.device(self._placement.device):
            return self._gather(tf.constant(values, tf.float64)).numpy()

    def wait(self) -> None:
        """Waits for all of them."""
        self.gather([0.0])

    def any(self, decision: bool) -> bool:
        """Whether it is so in any worker."""
        return bool(self.gather([decision]).any())

    def as_chief(self, decision: bool) -> bool:
        """Whether it is so in the chief."""
        return bool(self.gather([decision])[0, 0])

    def begin_at(self, step: int) -> None:
        """Waits until all know where they begin.

        Raises:
            ConfigError: they begin after different steps.
        """
        steps = [int(row[0]) for row in self.gather([step])]
        if len(set(steps)) > 1:
            raise ConfigError(
                f"training.execution.strategy: multi_worker: the workers found checkpoints of "
                f"different steps: {', '.join(map(str, steps))}. All must see one folder of "
                "checkpoints: put the pipeline's root on a file system that they share."
            )

    def evaluation(self, evaluate: Callable[[], Evaluated]) -> Callable[[], Evaluated]:
        """`evaluate` with the chief's metrics, by which all decide when to stop."""
        if self._placement.num_workers == 1:
            return evaluate

        def agreed() -> Evaluated:
            own = evaluate()
            chiefs = self.gather(list(own.metrics.values()))[0]
            metrics = {
                name: type(value)(number)
                for (name, value), number in zip(own.metrics.items(), chiefs, strict=True)
            }
            return own._replace(metrics=metrics)

        return agreed

    def _sum_up(self, values: tf.Tensor) -> tf.Tensor:
        strategy, num_workers = self._placement.strategy, self._placement.num_workers
        assert strategy is not None
        share = strategy.num_replicas_in_sync // num_workers

        def row(values: tf.Tensor) -> Any:
            context = tf.distribute.get_replica_context()
            number = tf.convert_to_tensor(context.replica_id_in_sync_group)
            # Not multiplied: a value may be infinite.
            is_own = (tf.range(num_workers) * share == number)[:, tf.newaxis]
            table = tf.where(is_own, values[tf.newaxis], tf.zeros([], tf.float64))
            return context.all_reduce(tf.distribute.ReduceOp.SUM, table)

        return strategy.experimental_local_results(strategy.run(row, args=(values,)))[0]

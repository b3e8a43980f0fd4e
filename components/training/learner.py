"""What training changes: a network, its head, and the optimizer's state."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import random
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from components.errors import ConfigError
from components.features import Label
from components.training.columns import Columns
from components.training.guard import Diverged
from components.training.heads import Head, make_head
from components.training.models.build import build_model
from components.training.models.shape import InputShape
from components.training.objective import Objective, main_output
from components.training.optimizers import Rate, make_optimizer
from components.training.settings import TrainingSettings
from components.training.strategy import Placement

# A large prime: how far apart the seeds of two replicas are.
_SEED_STEP = 2_147_483_647


@dataclasses.dataclass(frozen=True)
class Learner:
    """A model in training.

    Attributes:
        model: the network.
        head: what its main output means.
        objective: what is minimised.
        optimizer: how.
        trainable: all that ever learns, in the model's order.
        rate_scale: what a plateau or a rollback lowers; it multiplies the learning rate.
        averages: the moving average of each trainable variable; empty if none is kept.
        placement: where it all is.
    """

    model: keras.Model
    head: Head
    objective: Objective
    optimizer: keras.optimizers.Optimizer
    trainable: tuple[keras.Variable, ...]
    rate_scale: tf.Variable
    averages: tuple[tf.Variable, ...]
    placement: Placement

    @property
    def weights(self) -> list[keras.Variable]:
        """What the trained model consists of."""
        return [*self.model.weights, *self.head.variables]

    @property
    def model_variables(self) -> list[tf.Variable]:
        """The same, as TensorFlow's variables."""
        return [v.value for v in self.weights]

    @property
    def variables(self) -> list[tf.Variable]:
        """Everything a step reads or changes, the seeds of random layers included."""
        keras_variables = [
            *self.model.variables,
            *self.head.variables,
            *self.optimizer.variables,
        ]
        return [*(v.value for v in keras_variables), self.rate_scale, *self.averages]

    @property
    def learning_rate(self) -> float:
        """That of the next step."""
        return float(self._compiled_rate())

    @functools.cached_property
    def _compiled_rate(self) -> Callable[[], tf.Tensor]:
        """The schedule in one call: one by one its operations take a tenth of a short call."""
        return tf.function(lambda: self.optimizer.learning_rate, autograph=False)

    def scores(self, columns: Columns) -> tf.Tensor:
        """What the model answers, float32 [batch, units], for prepared columns without a label."""
        return self.head.scores(self.outputs(columns))

    def outputs(self, columns: Columns) -> tf.Tensor:
        """The main output, float32 [batch, units], in inference mode."""
        return main_output(self.model(columns, training=False))

    def values(self) -> list[np.ndarray]:
        """A copy of all `variables`."""
        return [variable.numpy() for variable in self.variables]

    def restore(self, values: list[np.ndarray]) -> None:
        """Sets all `variables` to what `values()` returned."""
        _assign(self.variables, values)
        self._spread_seeds()

    def _spread_seeds(self) -> None:
        """Has the random layers of each replica draw numbers of their own; the first keeps its."""
        strategy = self.placement.strategy
        weights = {id(v) for v in self.model.weights}
        seeds = [v.value for v in self.model.variables if id(v) not in weights]
        if strategy is None or not seeds:
            return

        def spread() -> None:
            context = tf.distribute.get_replica_context()
            number = tf.cast(context.replica_id_in_sync_group, seeds[0].dtype)
            for seed in seeds:
                seed.assign(seed + tf.stack([number * _SEED_STEP, 0]))

        strategy.run(tf.function(spread, autograph=False))

    def model_values(self) -> list[np.ndarray]:
        """A copy of what the trained model consists of."""
        return [variable.numpy() for variable in self.model_variables]

    def restore_model(self, values: list[np.ndarray]) -> None:
        """Sets what the trained model consists of; its averages are then the same."""
        _assign(self.model_variables, values)
        if self.averages:
            _assign(self.averages, [variable.numpy() for variable in self.trainable])

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the model's weights are their moving averages, if such are kept."""
        if not self.averages:
            yield
            return
        own = [variable.numpy() for variable in self.trainable]
        self.take_averages()
        try:
            yield
        finally:
            _assign([variable.value for variable in self.trainable], own)

    def take_averages(self) -> None:
        """Sets the weights to their moving averages, for good, if such are kept."""
        if self.averages:
            averages = [average.numpy() for average in self.averages]
            _assign([variable.value for variable in self.trainable], averages)

    def require_finite(self, step: int) -> None:
        """Checks the model's weights after `step` steps.

        Raises:
            Diverged: one of them is infinite or not a number.
        """
        for weights in self.weights:
            if not np.isfinite(weights.numpy()).all():
                raise Diverged(
                    f"Trainer: the weights {weights.path!r} are not finite after step {step}. "
                    "Lower training.optimizer.learning_rate."
                )


def make_learner(
    settings: TrainingSettings,
    label: Label,
    shape: InputShape,
    placement: Placement,
    *,
    total_steps: int,
) -> Learner:
    """A learner before its first step, decided by `settings.seed` alone.

    Args:
        settings: what to make.
        label: decides the head.
        shape: what the network reads.
        placement: where the variables are.
        total_steps: where the learning rate's schedule ends.

    Raises:
        ConfigError: the model, the loss or the layers to freeze do not exist or do not fit.
    """
    scope = placement.strategy.scope() if placement.strategy else tf.device(placement.device)
    optimizer_settings = settings.optimizer
    with scope:
        head = make_head(label, settings.loss)
        with _keras_state(settings):
            model = build_model(settings.model, shape, units=head.units, seed=settings.seed)
        scale = tf.Variable(1.0, trainable=False, name="rate_scale")
        freeze = settings.model.freeze
        change = None
        if freeze.layers and freeze.share < 1:
            change = (unfreezes_at(settings, total_steps), freeze.learning_rate_factor)
        rate = Rate(optimizer_settings, total_steps=total_steps, scale=scale, change=change)
        optimizer = make_optimizer(
            optimizer_settings,
            rate,
            num_replicas=placement.num_replicas,
            scales_loss=settings.execution.precision == "mixed_float16",
        )
        trainable = tuple(model.trainable_variables)
        optimizer.build(trainable)
        averages = tuple(
            tf.Variable(
                v.value,
                trainable=False,
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
                name="average",
            )
            for v in (trainable if optimizer_settings.ema else ())
        )
        objective = Objective(model, head, settings.loss)
    _check_frozen(model, settings)
    return Learner(model, head, objective, optimizer, trainable, scale, averages, placement)


@contextlib.contextmanager
def _keras_state(settings: TrainingSettings) -> Iterator[None]:
    """Inside, layers compute in the precision that is set, and are decided by the seed."""
    policy, state = keras.config.dtype_policy(), random.getstate()
    keras.config.set_dtype_policy(settings.execution.precision)
    # Where a layer of one's own is given no seed, Keras draws one from here.
    random.seed(settings.seed)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        random.setstate(state)


def unfreezes_at(settings: TrainingSettings, total_steps: int) -> int:
    """The step from which all layers learn; the end of the training if some never do."""
    freeze = settings.model.freeze
    if not freeze.layers:
        return 0
    return total_steps if freeze.share == 1 else round(freeze.share * total_steps)


def frozen_layers(model: keras.Model, settings: TrainingSettings) -> list[keras.layers.Layer]:
    """The layers that do not learn at first."""
    prefixes = settings.model.freeze.layers
    return [layer for layer in model.layers if layer.name.startswith(prefixes)]


def _check_frozen(model: keras.Model, settings: TrainingSettings) -> None:
    names = [layer.name for layer in model.layers if layer.weights]
    for prefix in settings.model.freeze.layers:
        if not any(name.startswith(prefix) for name in names):
            raise ConfigError(
                f"training.model.freeze.layers: no layer of the model begins with {prefix!r}. "
                f"Its layers: {', '.join(names[:30])}."
            )


def _assign(variables: Sequence[tf.Variable], values: list[np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)

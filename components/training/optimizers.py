"""The optimizer, and the learning rate of every step."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from components.training.settings import OptimizerSettings

# The share of a one-cycle training that the rate rises for, and where it starts from and ends at,
# as shares of its peak: the values of Smith and Topin, Super-Convergence, 2017.
_RISE, _START, _END = 0.3, 1 / 25, 1 / 250_000


class Rate(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate of a step: warm-up, then the schedule, times what training has set."""

    def __init__(
        self,
        settings: OptimizerSettings,
        *,
        total_steps: int,
        scale: tf.Variable,
        change: tuple[int, float] | None = None,
    ) -> None:
        """A schedule over `total_steps`.

        Args:
            settings: which, and how high.
            total_steps: where it ends.
            scale: a float32 scalar that a plateau or a rollback lowers.
            change: (step, factor): from that step on the rate is multiplied by the factor.
        """
        self._settings = settings
        self._total = total_steps
        self._scale = scale
        self._change = change

    def __call__(self, step: Any) -> tf.Tensor:
        """The rate of the step after `step` steps, a float32 scalar."""
        settings, step = self._settings, tf.cast(step, tf.float32)
        warm = float(settings.warmup_steps)
        share = self._schedule(tf.maximum(step - warm, 0.0), max(self._total - warm, 1.0))
        if warm:
            share = tf.where(step < warm, (step + 1.0) / warm, share)
        if self._change is not None:
            at, factor = self._change
            share *= tf.where(step < float(at), 1.0, factor)
        return settings.learning_rate * share * self._scale

    def _schedule(self, step: tf.Tensor, total: float) -> tf.Tensor:
        """The share of the peak rate after `step` of `total` steps."""
        settings = self._settings
        done = tf.minimum(step / total, 1.0)
        end = settings.end_share
        match settings.schedule:
            case "linear":
                return 1 - (1 - end) * done
            case "cosine":
                return end + (1 - end) * _half_cosine(done)
            case "step":
                return settings.decay_rate ** tf.floor(step / settings.decay_every_steps)
            case "exponential":
                return settings.decay_rate ** (step / settings.decay_every_steps)
            case "one_cycle":
                up = _START + (1 - _START) * (1 - _half_cosine(done / _RISE))
                down = _END + (1 - _END) * _half_cosine((done - _RISE) / (1 - _RISE))
                return tf.where(done < _RISE, up, down)
        return tf.ones_like(done)

    def get_config(self) -> dict[str, Any]:
        """What Keras asks of a schedule when it saves an optimizer."""
        return {"settings": self._settings.model_dump(), "total_steps": self._total}


def make_optimizer(
    settings: OptimizerSettings, rate: Rate, *, num_replicas: int = 1, scales_loss: bool = False
) -> keras.optimizers.Optimizer:
    """The optimizer.

    Args:
        settings: which, and how gradients are clipped.
        rate: its learning rate.
        num_replicas: it is given gradients divided by this, for it adds up those of all replicas.
        scales_loss: whether float16 needs the loss scaled.
    """
    clips = {"value": "clipvalue", "norm": "clipnorm", "global_norm": "global_clipnorm"}
    options: dict[str, Any] = {"learning_rate": rate}
    if settings.clip != "none":
        options[clips[settings.clip]] = settings.clip_at / num_replicas
    if settings.weight_decay:
        options["weight_decay"] = settings.weight_decay
    if settings.name == "sgd":
        options["momentum"] = settings.momentum
    optimizer = _OPTIMIZERS[settings.name](**options)
    return keras.optimizers.LossScaleOptimizer(optimizer) if scales_loss else optimizer


_OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
    "adagrad": keras.optimizers.Adagrad,
    "nadam": keras.optimizers.Nadam,
    "lion": keras.optimizers.Lion,
}


def _half_cosine(done: tf.Tensor) -> tf.Tensor:
    """From 1 at 0 to 0 at 1 (Loshchilov and Hutter, SGDR, 2017)."""
    return 0.5 * (1 + tf.cos(math.pi * tf.clip_by_value(done, 0.0, 1.0)))

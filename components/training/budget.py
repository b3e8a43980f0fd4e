"""How long a training is, and in what portions it runs."""

from __future__ import annotations

import math

from components.training.data import CachedWindows, Split, Windows
from components.training.loop import AtMostEvery, EverySteps, When
from components.training.settings import TrainingSettings
from components.training.strategy import Placement

# What the batches of one call may take in memory.
_CALL_BYTES = 64 * 2**20
# XLA takes a second or two to compile; it must save more than that.
_WORTH_S = 4.0
# What it saves a step on a CPU, measured with wide_deep: a part that is the same for every batch,
# and one a row.
_STEP_S, _ROW_S = 150e-6, 0.8e-6
_DEFAULT_STEPS, _UNBOUNDED_STEPS = 1000, 1_000_000
_SHARED_CHECKPOINT_STEPS = 200
_EVALUATIONS, _FREQUENT, _GLANCES = 10, 1000, 4


def total_steps(settings: TrainingSettings, split: Split, windows: Windows) -> int:
    """How many steps there are, unless something ends the training before."""
    limits = [] if settings.steps is None else [settings.steps]
    if settings.epochs is not None:
        cached = isinstance(windows, CachedWindows)
        num_rows = windows.window_rows if cached else split.num_rows()
        batches = num_rows / settings.batch_size
        if settings.input.remainder == "drop":
            batches = math.floor(batches)
        elif settings.input.remainder == "pad":
            batches = math.ceil(batches)
        limits.append(max(1, math.ceil(settings.epochs * batches)))
    default = _DEFAULT_STEPS if settings.time_limit_s is None else _UNBOUNDED_STEPS
    return min(limits, default=default)


def steps_per_call(settings: TrainingSettings, row_bytes: int) -> int:
    """How many steps run in one call: as set, but fewer if their batches took too much memory."""
    return min(
        settings.execution.steps_per_call,
        max(1, _CALL_BYTES // (row_bytes * settings.batch_size)),
    )


def evaluates_every(settings: TrainingSettings, total: int) -> int:
    """After how many steps the model is evaluated: more often where that decides something."""
    stopping = settings.stopping
    every = settings.watch.evaluate_every_steps
    if every:
        return every
    if stopping.patience or stopping.plateau_patience or stopping.keep == "best":
        return min(math.ceil(total / _EVALUATIONS), _FREQUENT)
    return math.ceil(total / _GLANCES)


def checkpoints_when(settings: TrainingSettings, placement: Placement) -> When:
    """When a checkpoint is written.

    Workers must all do it after the same step, which their clocks do not tell them.
    """
    if settings.checkpoint_every_steps or placement.strategy is not None:
        return EverySteps(settings.checkpoint_every_steps or _SHARED_CHECKPOINT_STEPS)
    return AtMostEvery(settings.checkpoint_every_s, waits=True)


def uses_xla(
    settings: TrainingSettings, total: int, placement: Placement, *, is_table: bool
) -> bool:
    """Whether XLA compiles the steps: as set, or where it pays.

    On a CPU it pays for long trainings of small layers. It makes random numbers slowly there, and
    convolutions slower than TensorFlow's own.
    """
    if placement.strategy is not None:
        return False
    chosen = settings.execution.jit_compile
    if chosen != "auto":
        return chosen
    if placement.is_accelerated:
        return True
    if not is_table or settings.model.dropout or settings.model.function is not None:
        return False
    return total * (_STEP_S + settings.batch_size * _ROW_S) > _WORTH_S


def describe(
    settings: TrainingSettings, placement: Placement, windows: Windows, split: Split, *, jit: bool
) -> str:
    """Where and how the steps run, in words."""
    if isinstance(windows, CachedWindows):
        size = windows.window_rows * split.row_bytes / 2**20
        data = f"{windows.window_rows:,} rows in memory ({size:.0f} MB)"
    else:
        data = f"rows streamed in windows of {windows.window_rows:,}"
    parts = [placement.description, data, "XLA" if jit else "no XLA"]
    if settings.execution.precision != "float32":
        parts.append(settings.execution.precision)
    return "; ".join(parts)

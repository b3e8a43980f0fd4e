"""Where training starts from: anew, from an earlier model, or from a checkpoint it goes back to."""

from __future__ import annotations

import dataclasses
import logging

import numpy as np

from components import progress
from components.features import LABEL
from components.training.batches import Position
from components.training.checkpoints import Checkpoint, Checkpoints
from components.training.data import Windows
from components.training.export.tflite import check_convertible, input_specs
from components.training.guard import Diverged
from components.training.history import History
from components.training.job import Job
from components.training.learner import Learner
from components.training.settings import GuardSettings
from components.training.stopping import Decisions
from components.training.warm_start import load_warm_start

_log = logging.getLogger(__name__)


def begin(job: Job, learner: Learner, windows: Windows, checkpoints: Checkpoints) -> Checkpoint:
    """What training starts from when there is no checkpoint.

    Raises:
        ConfigError: the network cannot become the TensorFlow Lite model that is wanted.
        NodeFailed: the earlier model is damaged.
    """
    kinds = job.settings.export.tflite
    if kinds:  # A network that cannot be converted should not be trained first.
        rows = next(iter(windows.epoch(0)))
        check_convertible(learner, input_specs(rows), kinds)
    learner.head.fit(np.asarray(rows[LABEL]) for rows in windows.epoch(0))
    if job.base_model:
        found = load_warm_start(
            learner.model,
            job.base_model,
            spec=job.data_spec,
            transform_graph=job.transform_graph,
        )
        skipped = "".join(f"; {name} anew: {why}" for name, why in found.skipped[:3])
        note = f"{len(found.loaded)} weights from the earlier model{skipped}"
        progress.report("Trainer", note=note)
    start = Checkpoint(0, Position(), History(), Decisions(), learner.values())
    if job.settings.guard.policy == "rollback":
        checkpoints.save(start)
    return start


def roll_back(
    learner: Learner, checkpoints: Checkpoints, guard: GuardSettings, error: Diverged
) -> Checkpoint:
    """The newest checkpoint, with a lower learning rate.

    Raises:
        Diverged: going back is not wanted, or has been done often enough.
    """
    back = checkpoints.latest()
    if guard.policy != "rollback" or back is None:
        raise error
    if back.decisions.rollbacks >= guard.max_rollbacks:
        raise Diverged(
            f"{error} It was tried {guard.max_rollbacks} times with a lower rate."
        ) from error
    back.decisions.rollbacks += 1
    learner.restore(back.values)
    learner.rate_scale.assign(learner.rate_scale * guard.factor)
    # Kept at once, so that a killed training does not try the higher rate again.
    back = dataclasses.replace(back, values=learner.values())
    checkpoints.save(back)
    note = f"not finite: back to step {back.step}, learning rate x {guard.factor:g}"
    progress.report("Trainer", note=note)
    _log.warning("Trainer: %s (%s)", note, error)
    return back

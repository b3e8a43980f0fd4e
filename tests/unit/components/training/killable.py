"""A training in a process of its own, for tests that kill it."""

from __future__ import annotations

from pathlib import Path

from components.training.checkpoints import Checkpoints
from components.training.job import Job
from components.training.train import train

MODEL = "model.npz"


def run(job: str, folder: str) -> None:
    """Trains what the JSON text `job` says, and writes the model's weights to `folder`.

    The checkpoints are in `folder`/checkpoints.
    """
    import numpy as np

    wanted = Job.from_json(job)
    checkpoints = Checkpoints(Path(folder) / "checkpoints", wanted.facts())
    trained = train(wanted, checkpoints)
    if wanted.settings.execution.deterministic:
        from tensorflow.python.framework import config

        assert config.is_op_determinism_enabled()
    values = trained.learner.model_values()
    np.savez(Path(folder) / MODEL, *values, allow_pickle=False)

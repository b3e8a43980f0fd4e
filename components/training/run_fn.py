"""What the TFX Trainer calls: unpacks its arguments, trains, exports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from components.training.job import Job
from components.training.run import Outputs
from components.training.settings import TrainingSettings
from components.training.tuning import tuned
from components.training.workers import train_job

if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs


def run_fn(fn_args: FnArgs) -> None:
    """Trains and writes the model.

    Args:
        fn_args: `custom_config` holds `settings` and `data_spec` as JSON, and `code`, a hash.
            Writes `serving_model_dir`, and `history.json` in `model_run_dir`; checkpoints go to
            `checkpoints` two levels above that, for they must outlive a failed run.
            `hyperparameters`, the Tuner's best values if there is one, replace settings; they are
            also left in `model_run_dir`.
    """
    model_run = Path(fn_args.model_run_dir)
    settings = TrainingSettings.model_validate_json(fn_args.custom_config["settings"])
    job = Job.of(fn_args, tuned.merged(settings, fn_args.hyperparameters))
    train_job(
        job,
        Outputs(
            model=Path(fn_args.serving_model_dir),
            record=model_run,
            checkpoints=model_run.parents[1] / "checkpoints",
        ),
    )
    tuned.write(fn_args.hyperparameters, model_run)

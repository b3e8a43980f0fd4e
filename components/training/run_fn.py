"""What the TFX Trainer calls: unpacks its arguments, trains, exports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from components.features import DataSpec
from components.training.checkpoints import Checkpoints
from components.training.export import export
from components.training.settings import TrainingSettings
from components.training.train import Job, train

if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs


def run_fn(fn_args: FnArgs) -> None:
    """Trains and writes the model.

    Args:
        fn_args: `custom_config` holds `settings` and `data_spec` as JSON, and `code`, a hash.
            Writes `serving_model_dir`, and `history.json` in `model_run_dir`; checkpoints go to
            `checkpoints` two levels above that, for they must outlive a failed run.
    """
    config = fn_args.custom_config
    model_run = Path(fn_args.model_run_dir)
    job = Job(
        settings=TrainingSettings.model_validate_json(config["settings"]),
        data_spec=DataSpec.model_validate_json(config["data_spec"]),
        train_files=tuple(fn_args.train_files),
        eval_files=tuple(fn_args.eval_files),
        transform_graph=fn_args.transform_graph_path,
        code=config["code"],
    )
    checkpoints = Checkpoints(model_run.parents[1] / "checkpoints", key=job.key)
    learner, history = train(job, checkpoints)
    export(
        learner,
        job.data_spec,
        transform_graph=job.transform_graph,
        directory=Path(fn_args.serving_model_dir),
    )
    model_run.mkdir(parents=True, exist_ok=True)
    history.write(model_run / "history.json")
    checkpoints.prune_others()

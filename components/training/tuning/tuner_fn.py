"""What the TFX Tuner calls: unpacks its arguments, and opens the search."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tfx.components.tuner.component import TunerFnResult

from components.training.job import Job
from components.training.tuning.search import Search
from components.training.tuning.settings import TuningSettings

if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Opens a search, or the one that was killed.

    Args:
        fn_args: `custom_config` holds `tuning`, `settings` (of the training) and `data_spec` as
            JSON, `directory` for the state of searches, and `code`, a hash.
    """
    config = fn_args.custom_config
    job = Job.of(fn_args)
    tuning = TuningSettings.model_validate_json(config["tuning"])
    return TunerFnResult(tuner=Search(tuning, job, Path(config["directory"])), fit_kwargs={})

"""One training from its job to what it leaves: the model, the record, the logs."""

from __future__ import annotations

import dataclasses
import functools
import shutil
from pathlib import Path

from components.training.checkpoints import Checkpoints, make_key
from components.training.data import Split
from components.training.export import export
from components.training.export.tflite import Tflite
from components.training.job import Job
from components.training.strategy import Placement, place
from components.training.train import Trained, train
from components.training.watching.parameters import as_markdown, hyper_parameters
from components.training.watching.pictures import draw
from components.training.watching.record import write_record
from components.training.watching.watch import Watch, open_watch

_LOGS = "logs"


@dataclasses.dataclass(frozen=True)
class Outputs:
    """Where a training writes.

    Attributes:
        model: the SavedModel, which appears complete or not at all.
        record: `history.json`, `training.html`, pictures, and `logs`, TensorBoard's events.
        checkpoints: a folder that outlives a failed training; each job has one of its own in it.
    """

    model: Path
    record: Path
    checkpoints: Path


def run_job(job: Job, outputs: Outputs, placement: Placement | None = None) -> None:
    """Trains, then writes the model and the record.

    Args:
        job: what to train on what.
        outputs: where to write.
        placement: where to train; as the job's settings say if None.

    Raises:
        ConfigError: the settings do not fit the data or the machine.
        DataRejected: there are no rows to train on, or a label is wrong.
        NodeFailed: files are missing, or a loss or a weight is not finite.
        Interrupted: it was asked to stop, and has saved.
    """
    placement = placement or place(job.settings.execution)
    facts = job.facts()
    folder = outputs.checkpoints / make_key(facts)
    checkpoints = Checkpoints(folder, facts, is_writer=placement.is_chief)
    with checkpoints.held():
        _run(job, outputs, placement, checkpoints, folder)


def _run(
    job: Job, outputs: Outputs, placement: Placement, checkpoints: Checkpoints, folder: Path
) -> None:
    start = checkpoints.latest()
    with open_watch(
        job.settings.watch,
        directory=folder / _LOGS,
        name=f"{job.data_spec.label.column} {folder.name[:8]}",
        label=job.data_spec.label,
        start=start.step if start is not None else 0,
        is_chief=placement.is_chief,
    ) as watch:
        parameters = hyper_parameters(job.settings)
        watch.describe(parameters, {"settings": as_markdown(parameters)})
        trained = train(job, checkpoints, placement, watch=watch)
        if placement.is_chief:
            _write(job, trained, watch, outputs)
    if placement.is_chief:
        if (folder / _LOGS).is_dir():
            shutil.copytree(folder / _LOGS, outputs.record / _LOGS, dirs_exist_ok=True)
        checkpoints.prune_others()


def _write(job: Job, trained: Trained, watch: Watch, outputs: Outputs) -> None:
    settings = job.settings
    export(
        trained.learner,
        job.data_spec,
        transform_graph=job.transform_graph,
        directory=outputs.model,
        tflite=_tflite(job, trained) if settings.export.tflite else None,
    )
    # The last evaluation is that of the model, unless its weights are those of an earlier step.
    is_last = watch.latest is not None and settings.stopping.keep == "last"
    evaluated = watch.latest if is_last else trained.evaluate()
    assert evaluated is not None
    pictures = draw(trained.history, job.data_spec.label, evaluated) if settings.watch.plots else {}
    watch.pictures(pictures, trained.history.last_step)
    write_record(
        outputs.record,
        trained.history,
        pictures,
        title="Training",
        metrics=evaluated.metrics,
        settings=hyper_parameters(settings),
        placement={"runs on": trained.runs_on, "ended by": trained.decisions.ended_by},
    )


def _tflite(job: Job, trained: Trained) -> Tflite:
    """The TensorFlow Lite models that are wanted, and the rows to make and to measure them with."""
    splits = [
        Split.matching(files, trained.feature_spec, job.data_spec)
        for files in (job.train_files, job.eval_files)
    ]
    train_rows, eval_rows = (functools.partial(split.chunks) for split in splits)
    return Tflite(kinds=job.settings.export.tflite, train=train_rows, evaluation=eval_rows)

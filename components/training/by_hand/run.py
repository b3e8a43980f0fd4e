"""A training by hand."""

from __future__ import annotations

import contextlib
import itertools
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import tensorflow as tf

from components.errors import NodeFailed
from components.training import train as core
from components.training.by_hand.inputs import Inputs
from components.training.checkpoints import Checkpoints
from components.training.export import export
from components.training.job import Job
from components.training.loop import Action
from components.training.settings import TrainingSettings
from components.training.stopwatch import Stopwatch
from components.training.train import Trained
from components.training.watching.parameters import hyper_parameters
from components.training.watching.pictures import draw
from components.training.watching.record import write_record

# Checkpoints of a training by hand are for whoever asked for them: code is edited in between.
_CODE = "by hand"
_FRAME = re.compile(r"\+ (?P<path>.+) \(L(?P<line>\d+)\) (?P<name>\S+)")
_MOST_FRAMES = 5


def train(
    inputs: Inputs,
    settings: TrainingSettings,
    *,
    checkpoints: str | Path | None = None,
    check_numerics: bool = False,
    also: Sequence[Action] = (),
    stopwatch: Stopwatch | None = None,
) -> Trained:
    """Trains as the Trainer does.

    Args:
        inputs: what to train on.
        settings: how.
        checkpoints: a folder of this training alone, to go on from after an interruption.
        check_numerics: stops at the first operation whose result is not finite, and names it; all
            else is slower, and XLA is not used.
        also: what else to do between two calls into TensorFlow.
        stopwatch: measures where the time goes.

    Raises:
        WaybillError: as `components.training.train.train`.
        NodeFailed: with `check_numerics`, an operation's result is not finite.
    """
    if check_numerics:
        execution = settings.execution.model_copy(update={"jit_compile": False})
        settings = settings.model_copy(update={"execution": execution})
    job = make_job(inputs, settings)
    with contextlib.ExitStack() as stack:
        if checkpoints is None:
            checkpoints = stack.enter_context(tempfile.TemporaryDirectory(prefix="checkpoints-"))
        if check_numerics:
            stack.enter_context(_checked_numerics())
        return core.train(
            job, Checkpoints(Path(checkpoints), job.facts()), also=also, stopwatch=stopwatch
        )


def make_job(inputs: Inputs, settings: TrainingSettings) -> Job:
    """The job that trains on `inputs`."""
    return Job(
        settings=settings,
        data_spec=inputs.data_spec,
        train_files=inputs.files("train"),
        eval_files=inputs.files("eval"),
        transform_graph=str(inputs.transform_graph),
        code=_CODE,
    )


def write_output(
    trained: Trained, inputs: Inputs, settings: TrainingSettings, directory: str | Path
) -> Path:
    """Writes `model`, `history.json`, `training.html` and its pictures, as the Trainer does.

    Returns:
        The model's folder.

    Raises:
        NodeFailed: the model cannot be written.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    model = directory / "model"
    export(
        trained.learner,
        inputs.data_spec,
        transform_graph=str(inputs.transform_graph),
        directory=model,
    )
    evaluated = trained.evaluate()
    write_record(
        directory,
        trained.history,
        draw(trained.history, inputs.data_spec.label, evaluated),
        title="Training by hand",
        metrics=evaluated.metrics,
        settings=hyper_parameters(settings),
        placement={"runs on": trained.runs_on, "ended by": trained.decisions.ended_by},
    )
    return model


@contextlib.contextmanager
def _checked_numerics() -> Iterator[None]:
    tf.debugging.enable_check_numerics()
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        raise NodeFailed(_explain(str(error))) from error
    finally:
        tf.debugging.disable_check_numerics()


def _explain(message: str) -> str:
    """TensorFlow's report of a value that is not finite: the operation, and the user's lines."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    found = next(
        (line.strip("! ") for line in lines if "Detected Inf" in line or "NaN" in line),
        lines[0],
    )
    given = next((line for line in lines if line.startswith("Input tensor")), "")
    frames = [
        f"  {match['path']}, line {match['line']}, in {match['name']}"
        # What is not inside of a library has an arrow in the line below it.
        for line, below in itertools.pairwise(lines)
        if below.startswith("->") and (match := _FRAME.match(line)) is not None
    ]
    stack = "\n".join(frames[-_MOST_FRAMES:])
    text = f"Trainer: {found}. {given}"
    return f"{text}\nMade in, the innermost last:\n{stack}" if stack else text

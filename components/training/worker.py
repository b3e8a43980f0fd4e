"""A process that trains, alone or with others.

    python -m components.training.worker TASK.json

TASK.json is what a Trainer leaves in its folder of checkpoints; TF_CONFIG in the environment says
which worker of a cluster this is.

With `--reports` another process is in charge. Reports and the end go to standard output, a JSON
object a line: {"report": {...}}, then one of {"done": true}, {"error": CLASS, "message": TEXT,
"findings": [...]}, {"lost": CLASS}, {"failed": TEXT}. A line on standard input asks to save and
stop; the process dies when that input ends.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components import interruption, progress
from components.errors import ConfigError, DataRejected, NodeFailed, WaybillError, public_name
from components.training.child import Say, open_answers

if TYPE_CHECKING:
    from components.training.job import Job
    from components.training.run import Outputs

Message = dict[str, Any]


def task_json(job: Job, outputs: Outputs) -> str:
    """What a process is to do, as text."""
    folders = {name: str(path) for name, path in dataclasses.asdict(outputs).items()}
    return json.dumps({"job": job.to_json(), "outputs": folders})


def main() -> int:
    """Trains; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("task", type=Path, metavar="TASK.json", help="what a Trainer has written")
    parser.add_argument("--reports", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with _led() if args.reports else _alone() as say:
        end = _end(args.task)
        say(end)
    return 0 if "done" in end else int(end.get("code", NodeFailed.exit_code))


def _end(task: Path) -> Message:
    """Trains, and says how it ended."""
    try:
        _train(task)
    except DataRejected as error:
        return _told(error) | {"findings": [dict(finding) for finding in error.findings]}
    except WaybillError as error:
        return _told(error)
    except Exception as error:
        traceback.print_exc()
        kind = type(error).__name__
        if _is_loss(error):
            return {"lost": kind}  # TensorFlow's text tells where in the graph; the log has it.
        return {"failed": f"{kind}: {str(error)[:500]}"}
    return {"done": True}


def _train(task: Path) -> None:
    try:
        content = json.loads(task.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{task} cannot be read: {error}. Name the task.json that the Trainer wrote beside its "
            "checkpoints."
        ) from error
    # TensorFlow takes seconds to import, in which this must be able to die already.
    from components.training.agreement import Agreement
    from components.training.job import Job
    from components.training.run import Outputs, run_job
    from components.training.strategy import place

    job = Job.from_json(content["job"])
    placement = place(job.settings.execution)
    run_job(job, Outputs(**{n: Path(path) for n, path in content["outputs"].items()}), placement)
    # The chief still writes the model when the others are done; without them it would fail.
    Agreement(placement).wait()


def _told(error: WaybillError) -> Message:
    return {"error": public_name(error), "message": str(error), "code": error.exit_code}


def _is_loss(error: Exception) -> bool:
    """Whether it is what TensorFlow raises when another worker has gone."""
    import tensorflow as tf

    return isinstance(
        error,
        tf.errors.UnavailableError
        | tf.errors.AbortedError
        | tf.errors.CancelledError
        | tf.errors.DeadlineExceededError,
    )


@contextlib.contextmanager
def _led() -> Iterator[Say]:
    """Listens and reports to the process in charge; ends this one without TensorFlow's help."""
    say = open_answers()
    threading.Thread(target=_listen, daemon=True).start()

    def report(node: str, values: dict[str, progress.Value]) -> None:
        say({"report": values, "node": node})

    with progress.listen(report):
        yield say
    logging.shutdown()
    sys.stderr.flush()
    # Its threads may wait for a worker that has gone.
    os._exit(0)


def _listen() -> None:
    for _ in sys.stdin:
        interruption.request(timeout_s=0)
    os._exit(1)


@contextlib.contextmanager
def _alone() -> Iterator[Say]:
    """Logs, and stops on a signal, as a command does."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: interruption.request(timeout_s=0))

    def say(message: Mapping[str, Any]) -> None:
        text = next((message[key] for key in ("message", "lost", "failed") if key in message), "")
        if text:
            print(text, file=sys.stderr)

    yield say


if __name__ == "__main__":
    sys.exit(main())

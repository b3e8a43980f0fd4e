"""A process that runs trials for a search.

Reads tasks from standard input, a JSON object a line, and writes reports and results to standard
output. It ends when the search does: then its input ends.
"""

from __future__ import annotations

import dataclasses
import json
import os
import queue
import signal
import sys
import threading
import traceback
from typing import Any, TextIO

from components import interruption, progress
from components.errors import WaybillError


def main() -> None:
    """Runs trials until there are no more."""
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    # A Ctrl-C reaches the whole group; the search decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tasks: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(tasks,), daemon=True).start()
    from components.training.tuning.trial import Task, run_trial

    def report(node: str, values: dict[str, progress.Value]) -> None:
        _say(answers, {"report": values})

    with progress.listen(report):
        while True:
            task = Task.from_json(tasks.get())
            try:
                outcome = run_trial(task)
            except WaybillError as error:
                _say(answers, {"error": _public_name(error), "message": str(error)})
            except Exception as error:
                traceback.print_exc()
                text = f"a trial failed: {type(error).__name__}: {str(error)[:500]}"
                _say(answers, {"error": "NodeFailed", "message": text})
            else:
                _say(answers, {"outcome": dataclasses.asdict(outcome)})


def _listen(tasks: queue.Queue[str]) -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if "task" in message:
            tasks.put(message["task"])
        else:
            interruption.request(timeout_s=0)
    # The search has ended, or was killed: so does this, whatever it does.
    os._exit(0)


def _say(answers: TextIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _public_name(error: WaybillError) -> str:
    """The name of the nearest class that `components.errors` has."""
    return next(
        kind.__name__ for kind in type(error).__mro__ if kind.__module__ == WaybillError.__module__
    )


if __name__ == "__main__":
    main()

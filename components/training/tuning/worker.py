"""A process that runs trials for a search.

Reads tasks from standard input, a JSON object a line, and writes reports and results to standard
output. It ends when the search does: then its input ends.
"""

from __future__ import annotations

import dataclasses
import json
import os
import queue
import sys
import threading
import traceback

from components import interruption, progress
from components.errors import WaybillError, public_name
from components.training.child import open_answers


def main() -> None:
    """Runs trials until there are no more."""
    say = open_answers()
    tasks: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(tasks,), daemon=True).start()
    from components.training.tuning.trial import Task, run_trial

    def report(node: str, values: dict[str, progress.Value]) -> None:
        say({"report": values})

    with progress.listen(report):
        while True:
            task = Task.from_json(tasks.get())
            try:
                outcome = run_trial(task)
            except WaybillError as error:
                say({"error": public_name(error), "message": str(error)})
            except Exception as error:
                traceback.print_exc()
                text = f"a trial failed: {type(error).__name__}: {str(error)[:500]}"
                say({"error": "NodeFailed", "message": text})
            else:
                say({"outcome": dataclasses.asdict(outcome)})


def _listen(tasks: queue.Queue[str]) -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if "task" in message:
            tasks.put(message["task"])
        else:
            interruption.request(timeout_s=0)
    # The search has ended, or was killed: so does this, whatever it does.
    os._exit(0)


if __name__ == "__main__":
    main()

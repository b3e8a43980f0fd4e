"""Runs a copy of the taxi template, in its own process, and writes down each node's seconds.

    cd <copy of the template> && python stock_driver.py SECONDS_FILE

The template itself is run as its documentation says: `local_runner.py` as the main module.
"""

from __future__ import annotations

import functools
import json
import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main(seconds_file: Path) -> None:
    """Runs `local_runner.py` of the working directory.

    Args:
        seconds_file: gets a JSON object, node id to seconds, in the order of the run.
    """
    # The script's own directory comes first otherwise, and the template imports its siblings.
    sys.path[0] = str(Path.cwd())
    from tfx.orchestration.portable.launcher import Launcher

    seconds: dict[str, float] = {}
    Launcher.launch = _timed(Launcher.launch, seconds)
    runpy.run_path("local_runner.py", run_name="__main__")
    seconds_file.write_text(json.dumps(seconds, indent=2))


def _timed(launch: Callable[..., Any], seconds: dict[str, float]) -> Callable[..., Any]:
    @functools.wraps(launch)
    def timed(launcher: Any) -> Any:
        started = time.monotonic()
        try:
            return launch(launcher)
        finally:
            seconds[launcher._pipeline_node.node_info.id] = time.monotonic() - started

    return timed


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())

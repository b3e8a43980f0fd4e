"""Our pipeline as the benchmarks run it."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from benchmarks.measure import PROJECT, Sample, environment, measure


class Ours:
    """`python -m pipeline.run_local` with a root of its own."""

    def __init__(self, root: Path) -> None:
        """Starts without a history.

        Args:
            root: where the run writes; must not exist yet.
        """
        self._root = root

    def run(self, table: Path | None = None) -> Sample:
        """Measures a run; the second one on the same root and table has nothing to do.

        Args:
            table: a CSV file to use instead of the built-in one.
        """
        command = [sys.executable, "-m", "pipeline.run_local", "--root", str(self._root)]
        command += ["--set", "training.steps=1000", "--set", "training.batch_size=40"]
        if table is not None:
            command += ["--data", str(table)]
        log = self._root.with_suffix(".log")
        sample = measure(command, cwd=PROJECT, log=log, env=environment())
        report = json.loads((self._root / "report" / "run.json").read_text())
        nodes = {node["id"]: float(node["seconds"]) for node in report["nodes"]}
        return dataclasses.replace(sample, nodes=nodes)

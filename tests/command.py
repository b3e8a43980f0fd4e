"""The real command, run as a user runs it, and what it leaves behind."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.layout import Layout
from pipeline.lineage.models import Execution
from pipeline.lineage.store import LineageStore

PROJECT = Path(__file__).parent.parent


@dataclasses.dataclass(frozen=True)
class Result:
    """What a call of the command left behind."""

    exit_code: int
    stdout: str
    stderr: str
    root: Path

    @property
    def report(self) -> dict[str, Any]:
        """The run in numbers."""
        return json.loads(Layout(self.root).report.read_text())

    @property
    def states(self) -> dict[str, str]:
        """Node to `run`, `cached` or `skip`, as the command reports it."""
        return {node["id"]: node["state"] for node in self.report["nodes"]}

    @property
    def ran(self) -> set[str]:
        """The nodes that did their work; resolvers always look and are left out."""
        return {
            node
            for node, state in self.states.items()
            if state == "run" and not node.endswith("Resolver")
        }

    def executions(self, pipeline: str, node: str) -> list[Execution]:
        """A node's executions in the metadata store, newest first."""
        return LineageStore(Layout(self.root).metadata).executions(pipeline, node)

    def latest_ran(self, pipeline: str) -> set[str]:
        """The nodes whose newest execution in the metadata store is a real one, not a cached."""
        found = {node: self.executions(pipeline, node) for node in self.states}
        return {
            node
            for node, executions in found.items()
            if executions and executions[0].state == "COMPLETE" and not node.endswith("Resolver")
        }


Command = Callable[..., Result]


def call(root: Path, *flags: str, project: Path = PROJECT) -> subprocess.Popen[str]:
    """Starts the command in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.run_local", "--root", str(root), *flags],
        cwd=project,
        env={**os.environ, "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell starts what it puts in the background with Ctrl-C ignored, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )

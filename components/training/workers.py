"""Trains in processes of their own, and starts them again when one is lost.

Some things must be set before TensorFlow starts, or cannot be undone: the CPU's virtual devices,
the connections of several workers, the refusal of operations that are not deterministic. The
pipeline's own process has used TensorFlow already, and will again.
"""

from __future__ import annotations

import collections
import json
import logging
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from components import errors, interruption, progress
from components.errors import ConfigError, DataRejected, Interrupted, NodeFailed
from components.training.checkpoints import make_key
from components.training.cluster import VARIABLE, local_clusters, task_of
from components.training.files import write_atomically
from components.training.job import Job
from components.training.run import Outputs, run_job
from components.training.settings import ExecutionSettings
from components.training.worker import task_json

_TASK = "task.json"
_PROJECT = Path(__file__).parents[2]
_POLL_S = 0.1
# How long the others may take to fail of the same cause, or to save, once one has ended.
_GRACE_S = 15.0
_LAST_LINES = 5
# What TensorFlow says at every start.
_CHATTER = re.compile(r"[IW]\d{4} |WARNING: All log messages before|E\d{4} .*cuInit|To enable the")
_log = logging.getLogger(__name__)

_Message = dict[str, Any]


class _Lost(Exception):
    """A process has gone."""


def train_job(job: Job, outputs: Outputs) -> None:
    """Trains and writes what `run_job` does, here or in processes of its own, as `job` needs.

    Raises:
        WaybillError: as `run_job`; NodeFailed also if processes are lost too often.
    """
    execution = job.settings.execution
    if needs_own_process(execution):
        _train_in_processes(job, outputs)
    else:
        run_job(job, outputs)


def needs_own_process(execution: ExecutionSettings) -> bool:
    """Whether it takes what cannot be set in a process that has used TensorFlow."""
    return (
        execution.strategy == "multi_worker"
        or execution.virtual_devices > 1
        or execution.deterministic
    )


def _train_in_processes(job: Job, outputs: Outputs) -> None:
    execution = job.settings.execution
    folder = outputs.checkpoints / make_key(job.facts())
    folder.mkdir(parents=True, exist_ok=True)
    task = folder / _TASK
    write_atomically(task, task_json(job, outputs).encode())
    restarts = 0
    while True:
        team = _Team(task, _environments(execution, os.environ))
        try:
            with interruption.saves_on_request():
                team.run()
            return
        except _Lost as error:
            if interruption.is_requested():
                raise Interrupted(f"Trainer: stopped; {error} before it had saved.") from error
            if restarts == execution.restarts:
                raise NodeFailed(
                    f"Trainer: {error}, after {restarts} restarts (training.execution.restarts). "
                    "The log says what it did last; it may need too much memory."
                ) from error
            restarts += 1
            note = f"{error}; all start again from the last checkpoint ({restarts})"
            progress.report("Trainer", note=note)
            _log.warning("Trainer: %s", note)


def _environments(
    execution: ExecutionSettings, environment: Mapping[str, str]
) -> list[dict[str, str]]:
    """What each process to start adds to the environment.

    Raises:
        ConfigError: the cluster is not one that this can take part in.
    """
    paths = [str(_PROJECT), *(path for path in sys.path if path)]
    common = {"PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
    if execution.strategy != "multi_worker":
        return [common]
    if environment.get(VARIABLE) or execution.workers == 1:
        task = task_of(environment)
        if task.number:
            raise ConfigError(
                f"training.execution.strategy: multi_worker: {VARIABLE} says that this is worker "
                f"{task.number}. Run the pipeline as worker 0, and on the other machines "
                f"python -m components.training.worker with the {_TASK} that it writes."
            )
        return [common]
    if execution.device != "cpu" and tf.config.list_physical_devices("GPU"):
        raise ConfigError(
            f"training.execution.workers: {execution.workers} processes would all take the same "
            "GPUs. Use strategy: mirrored for the GPUs of one machine, or device: cpu."
        )
    cores = max(1, (os.cpu_count() or 1) // execution.workers)
    common |= {"TF_NUM_INTRAOP_THREADS": str(cores)}
    return [common | {VARIABLE: text} for text in local_clusters(execution.workers)]


class _Team:
    """The processes of one attempt."""

    def __init__(self, task: Path, environments: Sequence[Mapping[str, str]]) -> None:
        self._messages: queue.Queue[tuple[int, _Message]] = queue.Queue()
        self._ends: dict[int, _Message] = {}
        self._processes: list[_Process] = []
        self._task, self._environments = task, environments

    def run(self) -> None:
        """Starts them, and waits until the chief is done.

        Raises:
            WaybillError: a process raised it.
            NodeFailed: one failed in another way.
            _Lost: one was killed, or missed another.
        """
        try:
            for number, environment in enumerate(self._environments):
                self._processes.append(_Process(number, self._task, environment, self._messages))
            self._wait()
        finally:
            # They may hang in TensorFlow, waiting for each other.
            for process in self._processes:
                process.kill()

    def _wait(self) -> None:
        give_up_at, is_told = float("inf"), False
        while len(self._ends) < len(self._processes) and time.monotonic() < give_up_at:
            if interruption.is_requested() and not is_told:
                is_told = True
                for process in self._processes:
                    process.ask_to_stop()
            try:
                number, message = self._messages.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            if "report" in message:
                if number == 0:
                    progress.report(message["node"], **message["report"])
                continue
            self._ends[number] = message
            if "done" in message:
                if number == 0:
                    return
            elif "killed" in message:
                give_up_at = 0.0
            else:
                give_up_at = min(give_up_at, time.monotonic() + _GRACE_S)
        self._raise()

    def _raise(self) -> None:
        """Raises the cause: when one process fails, the others fail for want of it."""
        for kind in ("error", "killed", "failed", "lost"):
            for number, message in sorted(self._ends.items()):
                if kind in message:
                    raise self._processes[number].error_of(message, len(self._processes))
        raise NodeFailed("Trainer: the process that writes the model ended without a word.")


class _Process:
    """One process, and the threads that read what it says."""

    def __init__(
        self,
        number: int,
        task: Path,
        environment: Mapping[str, str],
        messages: queue.Queue[tuple[int, _Message]],
    ) -> None:
        self._number = number
        self._messages = messages
        self._last: collections.deque[str] = collections.deque(maxlen=_LAST_LINES)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "components.training.worker", str(task), "--reports"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, **environment},
        )
        _log.info("Trainer: worker %d is process %d", number, self._process.pid)
        self._logger = threading.Thread(target=self._read_log, daemon=True)
        self._logger.start()
        threading.Thread(target=self._read, daemon=True).start()

    def ask_to_stop(self) -> None:
        """Has it save and stop."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("stop\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # It has ended; its reader says so.

    def kill(self) -> None:
        """Ends it, whatever it does, and waits until it has."""
        self._process.kill()
        self._process.wait()

    def error_of(self, message: _Message, num_workers: int) -> Exception:
        """What its last message stands for."""
        name = f"worker {self._number}" if num_workers > 1 else "the process that trains"
        if "error" in message:
            if message["error"] == DataRejected.__name__:
                return DataRejected(message["message"], findings=message["findings"])
            kind = getattr(errors, message["error"])
            return kind(message["message"])
        if "killed" in message:
            return _Lost(f"{name} was killed by {message['killed']}")
        if "lost" in message:
            return _Lost(f"{name} has lost another worker ({message['lost']})")
        said = " | ".join(self._last)
        return NodeFailed(f"Trainer: {name} failed: {message['failed']} It said last: {said}")

    def _read(self) -> None:
        assert self._process.stdout is not None
        end: _Message | None = None
        for line in self._process.stdout:
            try:
                message = json.loads(line)
            except ValueError:
                break  # It was killed in the middle of a line.
            if "report" in message:
                self._messages.put((self._number, message))
            else:
                end = message
        code = self._process.wait()
        self._logger.join(timeout=1)  # For its last lines.
        if end is None and code < 0:
            end = {"killed": signal.Signals(-code).name}
        elif end is None:
            end = {"failed": f"it ended with code {code}."}
        self._messages.put((self._number, end))

    def _read_log(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            text = line.rstrip()
            sys.stderr.write(f"worker {self._number}: {text}\n")
            if text and not _CHATTER.match(text):
                self._last.append(text[:300])

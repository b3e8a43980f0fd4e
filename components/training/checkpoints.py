"""Checkpoints: everything a killed training needs to go on as if nothing had happened.

    <directory>/step-000000400.ckpt     a digest, then the arrays
    <directory>/best-000000300.ckpt     the model's weights at an evaluation that was the best

The best ones are kept as long as a checkpoint calls them so: a training that goes on from there
may not find the same again.

Each holds the facts that decide the result (configuration, data, code, versions): a training with
other facts is refused, with those that differ named.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from components.errors import ConfigError
from components.training.batches import Position
from components.training.files import write_atomically
from components.training.history import History
from components.training.stopping import Decisions

_DIGEST_BYTES = hashlib.sha256().digest_size
_META = "meta"
_LOCK = ".lock"
_log = logging.getLogger(__name__)


# What decides a result, by name.
Facts = Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A training after `step` steps.

    Attributes:
        step: how many steps are done.
        position: the batches that come next.
        history: the learning curve so far.
        decisions: what the evaluations have decided so far.
        values: all variables of the learner, in its order.
    """

    step: int
    position: Position
    history: History
    decisions: Decisions
    values: list[np.ndarray]


class Checkpoints:
    """The newest checkpoints of one training, in a directory of its own."""

    def __init__(
        self, directory: Path, facts: Facts, *, keep: int = 2, is_writer: bool = True
    ) -> None:
        """Opens `directory`, made if necessary, to hold the newest `keep` checkpoints.

        Args:
            directory: where they are.
            facts: what decides the result.
            keep: how many.
            is_writer: false for a worker that only reads what the chief writes.
        """
        self._directory = directory
        self._facts = dict(facts)
        self._keep = keep
        self._is_writer = is_writer
        self._best_of: dict[int, int] = {}
        if is_writer:
            self._directory.mkdir(parents=True, exist_ok=True)

    def save(self, checkpoint: Checkpoint) -> None:
        """Writes `checkpoint`, then deletes what is no longer among the newest."""
        if not self._is_writer:
            return
        path = self._directory / f"step-{checkpoint.step:09d}.ckpt"
        meta = {
            "step": checkpoint.step,
            "position": checkpoint.position,
            "history": checkpoint.history.model_dump(),
            "decisions": checkpoint.decisions.model_dump(),
            "facts": self._facts,
        }
        write_atomically(path, _encode(meta, checkpoint.values))
        for old in self._newest_first()[self._keep :]:
            old.unlink()
        self._best_of[checkpoint.step] = checkpoint.decisions.best_step
        self._prune_best()

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint that is intact, or None.

        Raises:
            ConfigError: it is of a training with other facts.
        """
        for path in self._newest_first():
            content = _read(path)
            if content is not None:
                meta, values = content
                self._require_same_facts(path, meta["facts"])
                self._best_of[meta["step"]] = meta["decisions"]["best_step"]
                return Checkpoint(
                    step=meta["step"],
                    position=Position(*meta["position"]),
                    history=History.model_validate(meta["history"]),
                    decisions=Decisions.model_validate(meta["decisions"]),
                    values=values,
                )
            _log.warning("Checkpoint %s is damaged; going on from the one before it.", path)
            if self._is_writer:
                path.unlink()
        return None

    def save_best(self, step: int, values: list[np.ndarray]) -> None:
        """Keeps the model's weights after `step` steps as the best."""
        if self._is_writer:
            write_atomically(self._best_path(step), _encode({"step": step}, values))

    def best(self, step: int) -> list[np.ndarray] | None:
        """The weights kept by `save_best` of this step, or None."""
        content = _read(self._best_path(step))
        return None if content is None else content[1]

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keeps the directory for this process: another one that trains the same waits meanwhile.

        The system lets go of it when the process dies.
        """
        if not self._is_writer:
            yield
            return
        with filelock.FileLock(self._directory / _LOCK):
            # It may have been pruned while this one waited.
            self._directory.mkdir(parents=True, exist_ok=True)
            yield

    def prune_others(self) -> None:
        """Deletes the checkpoints beside these, but for those of trainings that are under way."""
        for other in self._directory.parent.iterdir():
            if other == self._directory:
                continue
            with (
                contextlib.suppress(filelock.Timeout),
                filelock.FileLock(other / _LOCK, blocking=False),
            ):
                shutil.rmtree(other)

    def _best_path(self, step: int) -> Path:
        return self._directory / f"best-{step:09d}.ckpt"

    def _prune_best(self) -> None:
        """Deletes the best weights that no checkpoint calls so."""
        kept = {int(path.stem.split("-")[1]) for path in self._newest_first()}
        if kept <= self._best_of.keys():
            wanted = {self._best_path(self._best_of[step]) for step in kept}
            for path in set(self._directory.glob("best-*.ckpt")) - wanted:
                path.unlink()

    def _newest_first(self) -> list[Path]:
        return sorted(self._directory.glob("step-*.ckpt"), reverse=True)

    def _require_same_facts(self, path: Path, theirs: Facts) -> None:
        differing = [
            f"{name}: {theirs.get(name, 'not there')} → {self._facts.get(name, 'not there')}"
            for name in sorted({*theirs, *self._facts})
            if theirs.get(name) != self._facts.get(name)
        ]
        if differing:
            raise ConfigError(
                f"The checkpoint {path} is of another training. What differs: "
                f"{'; '.join(differing[:10])}. Use another folder for checkpoints, or delete it."
            )


def make_key(facts: Facts) -> str:
    """A directory name that stands for all of `facts`."""
    return hashlib.sha256(json.dumps(dict(facts), sort_keys=True).encode()).hexdigest()


def _encode(meta: Mapping[str, Any], values: list[np.ndarray]) -> bytes:
    arrays = {f"{i:06d}": value for i, value in enumerate(values)}
    arrays[_META] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    content = buffer.getvalue()
    return hashlib.sha256(content).digest() + content


def _read(path: Path) -> tuple[dict[str, Any], list[np.ndarray]] | None:
    """The meta data and the arrays of a file; None if it is not there or damaged."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    digest, content = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        meta = json.loads(arrays[_META].tobytes())
        return meta, [arrays[name] for name in sorted(set(arrays.files) - {_META})]

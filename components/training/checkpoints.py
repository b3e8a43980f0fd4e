"""Checkpoints: everything a killed training needs to go on as if nothing had happened.

    <root>/checkpoints/<key>/step-000000400.ckpt     a digest, then the arrays

The key stands for everything that decides the result, so that a training of another configuration
or other data never continues from here.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from components.training.batches import Position
from components.training.files import write_atomically
from components.training.history import History

_DIGEST_BYTES = hashlib.sha256().digest_size
_META = "meta"
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A training after `step` steps.

    Attributes:
        step: how many steps are done.
        position: the batches that come next.
        history: the learning curve so far.
        values: all variables of the learner, in its order.
    """

    step: int
    position: Position
    history: History
    values: list[np.ndarray]


class Checkpoints:
    """The newest checkpoints of one training, in a directory named by its key."""

    def __init__(self, root: Path, *, key: str, keep: int = 2) -> None:
        """Opens `root`/`key`, made if necessary, to hold the newest `keep` checkpoints."""
        self._directory = root / key
        self._keep = keep
        self._directory.mkdir(parents=True, exist_ok=True)

    def save(self, checkpoint: Checkpoint) -> None:
        """Writes `checkpoint`, then deletes what is no longer among the newest."""
        path = self._directory / f"step-{checkpoint.step:09d}.ckpt"
        write_atomically(path, _encode(checkpoint))
        for old in self._newest_first()[self._keep :]:
            old.unlink()

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint that is intact, or None."""
        for path in self._newest_first():
            content = path.read_bytes()
            if hashlib.sha256(content[_DIGEST_BYTES:]).digest() == content[:_DIGEST_BYTES]:
                return _decode(content[_DIGEST_BYTES:])
            _log.warning("Checkpoint %s is damaged; going on from the one before it.", path)
            path.unlink()
        return None

    def prune_others(self) -> None:
        """Deletes the checkpoints of all other keys."""
        for other in self._directory.parent.iterdir():
            if other != self._directory:
                shutil.rmtree(other)

    def _newest_first(self) -> list[Path]:
        return sorted(self._directory.glob("step-*.ckpt"), reverse=True)


def make_key(parts: Sequence[str]) -> str:
    """A directory name that stands for all of `parts`."""
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()


def _encode(checkpoint: Checkpoint) -> bytes:
    meta = {
        "step": checkpoint.step,
        "position": checkpoint.position,
        "history": checkpoint.history.model_dump(),
    }
    arrays = {f"{i:06d}": value for i, value in enumerate(checkpoint.values)}
    arrays[_META] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    content = buffer.getvalue()
    return hashlib.sha256(content).digest() + content


def _decode(content: bytes) -> Checkpoint:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        meta = json.loads(arrays[_META].tobytes())
        values = [arrays[name] for name in sorted(set(arrays.files) - {_META})]
    return Checkpoint(
        step=meta["step"],
        position=Position(*meta["position"]),
        history=History.model_validate(meta["history"]),
        values=values,
    )

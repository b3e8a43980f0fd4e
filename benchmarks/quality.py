"""Compares what the pushed taxi model knows with scikit-learn's models on the same rows."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import PROJECT, BenchmarkError, environment, measure

OURS = "ours, all defaults"
BOOSTED = "HistGradientBoosting"
# How far a network may be behind boosted trees, which a table like this one suits best.
ALLOWED = 0.005


@dataclass(frozen=True)
class Quality:
    """How well one model, trained once, answers for the eval split.

    Attributes:
        model: its name.
        auc: the area under the ROC curve.
        log_loss: the mean logarithmic loss, in nats.
        accuracy: the share of right answers at a probability of one half.
    """

    model: str
    auc: float
    log_loss: float
    accuracy: float


def compare_quality(
    scratch: Path, *, num_runs: int, say: Callable[[str], None]
) -> list[list[Quality]]:
    """Trains all models on the train split of the taxi table and asks them about the eval split.

    Args:
        scratch: an existing, empty directory to work in.
        num_runs: how often; each run has another seed.
        say: called before each run with what is measured.

    Returns:
        For each run, ours first, then the others.

    Raises:
        BenchmarkError: a process failed.
    """
    runs = []
    for seed in range(num_runs):
        say(f"the quality of the taxi model, seed {seed}")
        root = scratch / str(seed)
        command = [sys.executable, "-m", "pipeline.run_local", "--root", str(root)]
        command += ["--set", f"training.seed={seed}"]
        measure(command, cwd=PROJECT, log=scratch / "run.log", env=environment())
        runs.append(_judge(root, seed, scratch / "contender.log"))
    return runs


def missed(runs: Sequence[Sequence[Quality]]) -> list[str]:
    """In which runs ours is further behind the boosted trees than allowed, and by how much."""
    found = []
    for seed, models in enumerate(runs):
        by_name = {quality.model: quality for quality in models}
        ours, boosted = by_name[OURS], by_name[BOOSTED]
        gaps = {"AUC": boosted.auc - ours.auc, "log loss": ours.log_loss - boosted.log_loss}
        found += [
            f"Seed {seed}: {metric} is {gap:.4f} behind {BOOSTED}; allowed is {ALLOWED:g}."
            for metric, gap in gaps.items()
            if gap > ALLOWED
        ]
    return found


def _judge(root: Path, seed: int, log: Path) -> list[Quality]:
    models = list(root.glob("serving/*/1"))
    examples = list(root.glob("artifacts/*/ExampleGen/examples/*"))
    if len(models) != 1 or len(examples) != 1:
        raise BenchmarkError(f"The run left no model or no examples under {root}.")
    command = [sys.executable, "-m", "benchmarks.quality_contender", str(models[0])]
    command += [str(examples[0]), "--seed", str(seed)]
    measure(command, cwd=PROJECT, log=log, env=environment())
    last = log.read_text(errors="replace").splitlines()[-1]
    return [Quality(**found) for found in json.loads(last)]

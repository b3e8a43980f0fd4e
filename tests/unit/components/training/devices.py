"""Trains the same cases on whatever devices a process of its own has.

    python -m tests.unit.components.training.devices REQUEST.json

Every case is trained to its end, those named in `pauses` once more with a pause half way; the
values after both, and what each replica holds of them, go to files.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from components.features import DataSpec
from components.training.checkpoints import Checkpoints
from components.training.cluster import local_clusters
from components.training.strategy import place
from components.training.train import train
from tests.unit.components.training.datasets import PROJECT, Dataset, job

NORMALISED = "tests.unit.components.training.devices:normalised"


def normalised(shape: Any, *, units: int, seed: int) -> keras.Model:
    """A network with layers that keep something of the data, and of chance."""
    inputs = shape.inputs()
    initial = keras.initializers.GlorotNormal(seed=seed)
    hidden = keras.layers.Dense(8, kernel_initializer=initial)(inputs["numeric"])
    hidden = keras.layers.BatchNormalization(momentum=0.9)(hidden)
    hidden = keras.layers.Dropout(0.3, seed=seed)(keras.layers.Activation("relu")(hidden))
    return keras.Model(inputs, keras.layers.Dense(units, kernel_initializer=initial)(hidden))


def start(
    folder: Path,
    dataset: Dataset,
    cases: dict[str, dict],
    execution: dict,
    pauses: Sequence[str] = (),
    **environment: str,
) -> subprocess.Popen[str]:
    """Trains `cases` with `execution` in a fresh process; `values` reads what came of it."""
    folder.mkdir(parents=True)
    request = folder / "request.json"
    request.write_text(
        json.dumps(
            {
                "dataset": str(dataset.folder),
                "spec": dataset.spec.model_dump(mode="json"),
                "cases": cases,
                "execution": execution,
                "pauses": pauses,
            }
        )
    )
    return subprocess.Popen(
        [sys.executable, "-m", __name__, str(request)],
        cwd=PROJECT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def start_team(
    folder: Path,
    dataset: Dataset,
    cases: dict[str, dict],
    num_workers: int,
    pauses: Sequence[str] = (),
) -> list[subprocess.Popen[str]]:
    """The same in processes that train together."""
    execution = {"strategy": "multi_worker", "workers": num_workers}
    return [
        start(folder / str(number), dataset, cases, execution, pauses, TF_CONFIG=text)
        for number, text in enumerate(local_clusters(num_workers))
    ]


def finish(process: subprocess.Popen[str]) -> None:
    """Waits for its end, which must be a good one."""
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output[-3000:]


def values(folder: Path, case: str, what: str) -> list[np.ndarray]:
    """What a case left: `whole`, `paused`, or of one replica, `replica 1`."""
    with np.load(folder / f"{case}.{what}.npz") as arrays:
        return [arrays[name] for name in arrays.files]


def main(path: Path) -> None:
    request = json.loads(path.read_text())
    dataset = Dataset(Path(request["dataset"]), DataSpec.model_validate(request["spec"]), [])
    for name, settings in request["cases"].items():
        wanted = {**settings.get("execution", {}), **request["execution"]}
        made = job(dataset, **{**settings, "execution": wanted})
        placement = place(made.settings.execution)

        def trained(what: str, share: float = 1.0) -> Any:
            checkpoints = Checkpoints(
                path.parent / f"{name}.{what}",  # noqa: B023 - called within the iteration
                made.facts(),  # noqa: B023
                is_writer=placement.is_chief,  # noqa: B023
            )
            return train(made, checkpoints, placement, share=share)  # noqa: B023

        whole = trained("whole")
        np.savez(path.parent / f"{name}.whole.npz", *whole.learner.values())
        (path.parent / f"{name}.json").write_text(whole.history.model_dump_json())
        if name in request["pauses"]:
            trained("paused", share=0.5)
            paused = trained("paused")
            np.savez(path.parent / f"{name}.paused.npz", *paused.learner.values())
        if placement.strategy is not None:
            variables = [v.value for v in whole.learner.model.variables]
            parts = [placement.strategy.experimental_local_results(v) for v in variables]
            for number in range(len(parts[0])):
                own = [part[number].numpy() for part in parts]
                np.savez(path.parent / f"{name}.replica {number}.npz", *own)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

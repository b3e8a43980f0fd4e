"""Where the time of a step goes."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from pathlib import Path
from typing import Any

from components.errors import NodeFailed
from components.training.by_hand.inputs import Inputs
from components.training.by_hand.run import train
from components.training.loop import Action
from components.training.settings import TrainingSettings
from components.training.stopwatch import Stopwatch
from components.training.watching.profiler import Profiler

_WARM_UP, _RECORDED = 100, 100
_MOST_OPERATIONS = 10
_HOST = "/host:CPU"
_PER_US = 1e6  # The trace counts picoseconds.


@dataclasses.dataclass(frozen=True)
class Operation:
    """An operation of the compiled steps.

    Attributes:
        name: in the graph.
        kind: such as MatMul.
        calls: how often it ran.
        total_us: microseconds of all calls together, over all threads.
    """

    name: str
    kind: str
    calls: int
    total_us: float


@dataclasses.dataclass(frozen=True)
class Profile:
    """What was measured.

    Attributes:
        trace: the file that TensorBoard's profiler opens.
        recorded_steps: how many steps it holds.
        operations: those that took the longest, longest first.
        all_us: microseconds of all operations together.
        first_s: seconds of the first call, which traces and compiles.
        input_s: seconds of waiting for batches after it; they are made during the steps before.
        steps_s: seconds in TensorFlow after it.
        num_steps: how many steps those were.
    """

    trace: Path
    recorded_steps: int
    operations: tuple[Operation, ...]
    all_us: float
    first_s: float
    input_s: float
    steps_s: float
    num_steps: int


def profile(inputs: Inputs, settings: TrainingSettings, directory: str | Path) -> Profile:
    """Trains for some steps and records the last of them with TensorFlow's profiler.

    Args:
        inputs: what to train on.
        settings: how; but not for how long.
        directory: where the trace goes, below `plugins/profile`.

    Raises:
        WaybillError: as `train`.
        NodeFailed: the profiler wrote nothing.
    """
    directory = Path(directory)
    before = set(_traces(directory))
    total = _WARM_UP + _RECORDED
    # An evaluation in between would be recorded too.
    watch = settings.watch.model_copy(update={"evaluate_every_steps": total})
    settings = settings.model_copy(
        update={"steps": total, "epochs": None, "time_limit_s": None, "watch": watch}
    )
    recorder = Profiler(directory, first=_WARM_UP, last=total, start=0)
    stopwatch = Stopwatch()
    train(inputs, settings, also=[Action(recorder, recorder.act)], stopwatch=stopwatch)
    traces = sorted(set(_traces(directory)) - before)
    if not traces:
        raise NodeFailed(f"Trainer: TensorFlow's profiler wrote no trace to {directory}.")
    operations = read_operations(traces[-1])
    return Profile(
        trace=traces[-1],
        recorded_steps=_RECORDED,
        operations=tuple(operations[:_MOST_OPERATIONS]),
        all_us=sum(operation.total_us for operation in operations),
        first_s=stopwatch.first_s,
        input_s=stopwatch.input_s,
        steps_s=stopwatch.steps_s,
        num_steps=stopwatch.num_steps,
    )


def read_operations(trace: Path) -> list[Operation]:
    """The operations of a trace, the one that took the longest first."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    space.ParseFromString(trace.read_bytes())
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for plane in space.planes:
        is_host = plane.name == _HOST
        if not is_host and not plane.name.startswith("/device:"):
            continue
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                key = _operation(name) if is_host else (name, "kernel")
                if key is not None:
                    found[key].append(event.duration_ps / _PER_US)
    operations = [Operation(*key, len(times), sum(times)) for key, times in found.items()]
    return sorted(operations, key=lambda operation: operation.total_us, reverse=True)


def _operation(name: str) -> tuple[str, str] | None:
    """What an event of the host's is called; None if it is no operation of a graph."""
    place, separator, kind = name.rpartition(":")
    if not separator or place.endswith(":") or " " in name:
        return None
    # The loop over the steps of a call says nothing about a step.
    return place.replace("while/body/_1/", "").replace("while/", ""), kind


def _traces(directory: Path) -> list[Path]:
    return list(directory.glob("plugins/profile/*/*.xplane.pb"))


def describe(found: Profile) -> dict[str, Any]:
    """The host's side of a step, in milliseconds."""
    steps = max(found.num_steps, 1)
    return {
        "first call (traces, compiles)": f"{found.first_s:.2f} s",
        "waiting for batches": f"{1e3 * found.input_s / steps:.3f} ms a step",
        "in TensorFlow": f"{1e3 * found.steps_s / steps:.3f} ms a step",
    }

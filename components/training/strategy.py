"""Where training runs: the devices, and how they share a batch."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Iterable

import tensorflow as tf

from components.errors import ConfigError, NodeFailed
from components.training.cluster import task_of
from components.training.settings import ExecutionSettings

# A process can start TensorFlow's cluster but once, and two strategies of one process would take
# each other's messages for their own: trainings of the same devices share one strategy.
_strategies: dict[tuple[str, ...], tf.distribute.Strategy] = {}


@dataclasses.dataclass(frozen=True)
class Placement:
    """Where training runs.

    Attributes:
        strategy: TensorFlow's distribution strategy; None for one device.
        device: where rows are kept and the model is evaluated, such as `/CPU:0`.
        description: in words.
        is_chief: whether this process writes checkpoints and the model.
        num_workers: how many processes take part.
    """

    strategy: tf.distribute.Strategy | None
    device: str
    description: str
    is_chief: bool = True
    num_workers: int = 1

    @property
    def num_replicas(self) -> int:
        """Among how many devices a batch is shared."""
        return self.strategy.num_replicas_in_sync if self.strategy is not None else 1

    @property
    def is_accelerated(self) -> bool:
        """Whether it is a GPU or TPU that computes."""
        return any(kind != "CPU" for kind, _ in self._devices)

    def verify(self, variables: Iterable[tf.Variable]) -> None:
        """Checks that numbers of `variables` are where this says, each on all devices.

        Raises:
            NodeFailed: one of them is elsewhere.
        """
        for variable in variables:
            if not variable.dtype.is_floating:
                continue  # TensorFlow keeps counters where it likes.
            found = {_short(part.device) for part in self._parts(variable)}
            if found != self._devices:
                raise NodeFailed(
                    f"Trainer: the variable {variable.name!r} {list(variable.shape)} is on "
                    f"{_named(found)}, not on {_named(self._devices)} ({self.description}). A "
                    "model of one's own must not place its layers with tf.device."
                )

    @property
    def _devices(self) -> set[tuple[str, int]]:
        if self.strategy is None:
            return {_short(self.device)}
        return {_short(name) for name in self.strategy.extended.worker_devices}

    def _parts(self, variable: tf.Variable) -> Iterable[tf.Variable]:
        if self.strategy is None:
            return [variable]
        return self.strategy.experimental_local_results(variable)


def place(settings: ExecutionSettings) -> Placement:
    """Finds the devices that `settings` ask for.

    Raises:
        ConfigError: there is no such device, or TensorFlow has started and cannot be split into
            virtual devices any more.
    """
    if settings.virtual_devices > 1:
        _split_cpu(settings.virtual_devices)
    if settings.strategy == "tpu" or settings.device == "tpu":
        return _on_tpu()
    kind = "CPU" if settings.virtual_devices > 1 else _kind(settings.device)
    if settings.strategy == "multi_worker":
        return _on_workers(kind)
    if settings.strategy == "mirrored":
        names = tuple(device.name for device in tf.config.list_logical_devices(kind))
        make = functools.partial(tf.distribute.MirroredStrategy, list(names))
        return Placement(_once(names, make), f"/{kind}:0", f"{len(names)} x {kind}, mirrored")
    return Placement(None, f"/{kind}:0", f"{kind}{_details(kind)}")


def _once(key: tuple[str, ...], make: functools.partial) -> tf.distribute.Strategy:
    if key not in _strategies:
        _strategies[key] = make()
    return _strategies[key]


def _kind(device: str) -> str:
    """CPU or GPU, whichever is asked for and there."""
    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    if device == "gpu" and not has_gpu:
        raise ConfigError(
            "training.execution.device: gpu, but TensorFlow sees no GPU on this machine. Install "
            "a driver and tensorflow[and-cuda], or use auto, which takes what is there."
        )
    return "GPU" if has_gpu and device != "cpu" else "CPU"


def _details(kind: str) -> str:
    if kind == "CPU":
        return f", {os.cpu_count()} cores"
    [first, *_] = tf.config.list_physical_devices(kind)
    name = tf.config.experimental.get_device_details(first).get("device_name", "")
    return f", {name}" if name else ""


def _split_cpu(count: int) -> None:
    [cpu] = tf.config.list_physical_devices("CPU")
    if len(tf.config.get_logical_device_configuration(cpu) or ()) == count:
        return
    try:
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * count
        )
    except RuntimeError as error:
        raise ConfigError(
            f"training.execution.virtual_devices: {count}, but TensorFlow has already started in "
            "this process and cannot split the CPU any more. Train in a fresh process."
        ) from error


def _on_tpu() -> Placement:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect()
    except (ValueError, tf.errors.OpError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise ConfigError(
            f"training.execution: tpu, but no TPU can be reached: {reason}. Set TPU_NAME (to "
            "local on the TPU's own machine), or use device auto and strategy none."
        ) from error
    strategy = _once(("TPU",), functools.partial(tf.distribute.TPUStrategy, resolver))
    # A TPU computes only what it compiles, the steps: rows wait on the host, and it evaluates.
    return Placement(strategy, "/CPU:0", f"{strategy.num_replicas_in_sync} TPU cores")


def _on_workers(kind: str) -> Placement:
    task = task_of(os.environ)
    if kind == "CPU":
        tf.config.set_visible_devices([], "GPU")  # The strategy would take it.
    strategy = _once(("workers",), functools.partial(tf.distribute.MultiWorkerMirroredStrategy))
    return Placement(
        strategy,
        f"/{kind}:0",
        f"worker {task.number} of {task.num_workers}, "
        f"{strategy.num_replicas_in_sync} x {kind} in all",
        is_chief=task.number == 0,
        num_workers=task.num_workers,
    )


def _short(device: str) -> tuple[str, int]:
    """The kind and number of a device, whichever machine it belongs to."""
    spec = tf.DeviceSpec.from_string(device)
    return spec.device_type, spec.device_index or 0


def _named(devices: set[tuple[str, int]]) -> str:
    return " and ".join(f"{kind}:{number}" for kind, number in sorted(devices))

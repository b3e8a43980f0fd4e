"""The processes that train together, as TensorFlow's TF_CONFIG names them."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import NamedTuple

from components.errors import ConfigError

VARIABLE = "TF_CONFIG"
_KEY = "training.execution.strategy: multi_worker"


class Task(NamedTuple):
    """One of the processes.

    Attributes:
        number: which; 0 is the chief, who writes checkpoints and the model.
        num_workers: how many there are.
    """

    number: int
    num_workers: int


def task_of(environment: Mapping[str, str]) -> Task:
    """Which of the processes this is.

    Raises:
        ConfigError: TF_CONFIG is missing or wrong.
    """
    text = environment.get(VARIABLE, "")
    if not text:
        raise ConfigError(
            f"{_KEY} needs the workers' addresses in the environment variable {VARIABLE}. Set it, "
            "or set training.execution.workers to start that many on this machine."
        )
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        kind, index = task["type"], int(task["index"])
        sizes = {name: len(addresses) for name, addresses in cluster.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{_KEY}: {VARIABLE} is not what TensorFlow expects: {text[:200]}. It must be JSON: "
            '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}.'
        ) from error
    others = sorted(set(sizes) - {"chief", "worker"})
    if others:
        raise ConfigError(
            f"{_KEY}: {VARIABLE} names tasks of type {', '.join(others)}. All that take part must "
            "be worker, or one of them chief."
        )
    if not 0 <= index < sizes.get(kind, 0):
        raise ConfigError(
            f"{_KEY}: {VARIABLE} says that this is {kind} {index}, but the cluster has "
            f"{sizes.get(kind, 0)} of type {kind}. Correct the task."
        )
    before = sizes.get("chief", 0) if kind == "worker" else 0
    return Task(before + index, sum(sizes.values()))


def local_clusters(num_workers: int) -> list[str]:
    """TF_CONFIG of each of so many processes on this machine, at ports that are free now."""
    sockets = [socket.socket() for _ in range(num_workers)]
    try:
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{opened.getsockname()[1]}" for opened in sockets]
    finally:
        for opened in sockets:
            opened.close()
    return [
        json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}})
        for number in range(num_workers)
    ]

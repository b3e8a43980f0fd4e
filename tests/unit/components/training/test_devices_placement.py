"""Which devices the settings and the environment ask for, and what is said when they are wrong."""

from __future__ import annotations

import json
from typing import Any

import pydantic
import pytest
import tensorflow as tf

from components.errors import ConfigError, NodeFailed
from components.training.agreement import Agreement
from components.training.cluster import Task, local_clusters, task_of
from components.training.settings import ExecutionSettings
from components.training.strategy import Placement, place


def placed(**settings: Any) -> Placement:
    return place(ExecutionSettings(**settings))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"device": "gpu"}, "TensorFlow sees no GPU"),
        ({"device": "gpu", "strategy": "mirrored"}, "TensorFlow sees no GPU"),
        ({"device": "gpu", "strategy": "multi_worker"}, "TensorFlow sees no GPU"),
        ({"device": "tpu"}, "no TPU can be reached: .*Set TPU_NAME"),
        ({"strategy": "tpu"}, "no TPU can be reached"),
        ({"strategy": "multi_worker"}, "TF_CONFIG. Set it, or set training.execution.workers"),
    ],
)
def test_a_device_that_is_not_there_is_named(
    settings: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TPU_NAME", "TF_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU")
    with pytest.raises(ConfigError, match=says):
        placed(**settings)


def test_the_cpu_cannot_be_split_once_tensorflow_has_started() -> None:
    tf.config.list_logical_devices("CPU")
    with pytest.raises(ConfigError, match=r"virtual_devices: 3, but TensorFlow has already"):
        placed(strategy="mirrored", virtual_devices=3)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"workers": 2}, "workers: 2 needs strategy: multi_worker"),
        ({"workers": 2, "strategy": "mirrored"}, "workers: 2 needs"),
        ({"virtual_devices": 2}, "virtual_devices: 2 are parts of the CPU"),
        ({"virtual_devices": 2, "strategy": "mirrored", "device": "gpu"}, "parts of the CPU"),
        ({"device": "tpu", "strategy": "mirrored"}, "device: tpu does not go with"),
        ({"device": "cpu", "strategy": "tpu"}, "strategy: tpu does not go with device: cpu"),
        ({"strategy": "mirrored", "jit_compile": True}, "jit_compile: true is for one device"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    settings: dict[str, Any], says: str
) -> None:
    with pytest.raises(pydantic.ValidationError, match=says):
        ExecutionSettings(**settings)


def test_variables_must_be_where_the_placement_says() -> None:
    with tf.device("/CPU:0"):
        variable, counter = tf.Variable([1.0, 2.0], name="kernel"), tf.Variable(1)
    Placement(None, "/CPU:0", "CPU").verify([variable, counter])
    elsewhere = Placement(None, "/GPU:1", "one GPU")
    elsewhere.verify([counter])
    with pytest.raises(NodeFailed, match=r"'kernel:0' \[2\] is on CPU:0, not on GPU:1 \(one GPU"):
        elsewhere.verify([variable])


def test_variables_must_be_on_every_device_of_a_strategy() -> None:
    mirrored = placed(strategy="mirrored", device="cpu")
    assert mirrored.strategy is not None
    with mirrored.strategy.scope():
        variable = tf.Variable(1.0)
    mirrored.verify([variable])
    assert mirrored.description == "1 x CPU, mirrored"
    assert not mirrored.is_accelerated


def test_trainings_of_one_process_share_their_strategy() -> None:
    first, second = (placed(strategy="mirrored", device="cpu") for _ in range(2))
    assert first.strategy is second.strategy


def cluster(kind: str, index: int, **sizes: int) -> dict[str, str]:
    addresses = {name: [f"host-{i}:1" for i in range(size)] for name, size in sizes.items()}
    return {"TF_CONFIG": json.dumps({"cluster": addresses, "task": {"type": kind, "index": index}})}


@pytest.mark.parametrize(
    ("environment", "task"),
    [
        (cluster("worker", 0, worker=2), Task(0, 2)),
        (cluster("worker", 1, worker=2), Task(1, 2)),
        (cluster("chief", 0, chief=1, worker=2), Task(0, 3)),
        (cluster("worker", 0, chief=1, worker=2), Task(1, 3)),
    ],
)
def test_the_chief_is_the_one_of_that_name_or_the_first_worker(
    environment: dict[str, str], task: Task
) -> None:
    assert task_of(environment) == task


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "needs the workers' addresses"),
        ("{", "is not what TensorFlow expects: {"),
        ("[]", "is not what TensorFlow expects"),
        ('{"cluster": {"worker": ["a:1"]}}', "is not what TensorFlow expects"),
        (cluster("worker", 2, worker=2)["TF_CONFIG"], "this is worker 2, but the cluster has 2"),
        (cluster("chief", 0, worker=2)["TF_CONFIG"], "chief 0, but the cluster has 0"),
        (cluster("worker", 0, worker=2, ps=1)["TF_CONFIG"], "names tasks of type ps"),
    ],
)
def test_a_wrong_cluster_is_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        task_of({"TF_CONFIG": text})


def test_local_workers_have_ports_of_their_own() -> None:
    texts = local_clusters(3)
    assert [task_of({"TF_CONFIG": text}) for text in texts] == [Task(i, 3) for i in range(3)]
    [addresses] = {tuple(json.loads(text)["cluster"]["worker"]) for text in texts}
    assert len(set(addresses)) == 3


def test_one_who_is_alone_agrees_with_itself() -> None:
    alone = Agreement(Placement(None, "/CPU:0", "CPU"))
    alone.begin_at(7)
    alone.wait()
    for decision in (True, False):
        assert alone.any(decision) is alone.as_chief(decision) is decision

"""What an orchestrator schedules: the nodes, gathered into tasks.

Every task is a process that imports TensorFlow, which takes longer than most nodes work. So by
default the nodes before the training share one process, and so do those after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from components.errors import ConfigError, nearest
from pipeline.nodes import ACCEPTED, BASELINE, STARTING, TUNER

Grouping = Literal["stages", "nodes"]

# The stage of each node, and what it does, for the documentation of a task.
_STAGES: Mapping[str, tuple[str, ...]] = {
    "data": (
        "ExampleGen",
        "StatisticsGen",
        "SchemaGen",
        "ExampleValidator",
        ACCEPTED,
        "DataGate",
        "Transform",
    ),
    "train": (STARTING, TUNER, "Trainer"),
    "release": (BASELINE, "Evaluator", "ServingCheck", "ModelCard", "Pusher"),
}
PURPOSES: Mapping[str, str] = {
    "ExampleGen": "reads the data into tf.Examples and splits them",
    "StatisticsGen": "describes every column of every split",
    "SchemaGen": "gives the data contract, curated or inferred",
    "ExampleValidator": "compares the statistics with the contract",
    ACCEPTED: "finds the data that was accepted last, to compare with",
    "DataGate": "stops the run when the data breaks the contract",
    "Transform": "turns columns into the tensors that models read",
    STARTING: "finds the model to start from",
    TUNER: "searches for the best settings of the training",
    "Trainer": "trains the model in a loop of its own",
    BASELINE: "finds the model that is live, to compare with",
    "Evaluator": "judges the model by metric and slice, beside the one that is live",
    "ServingCheck": "asks the model what a client would ask a server",
    "ModelCard": "writes down what the model is, and is not, for",
    "Pusher": "publishes the model as the next version",
}


@dataclass(frozen=True, kw_only=True)
class Task:
    """Nodes that one process runs.

    Attributes:
        name: of the task: a stage, or a node.
        nodes: the ids of its nodes.
        upstream: the tasks that must have succeeded before.
    """

    name: str
    nodes: tuple[str, ...]
    upstream: tuple[str, ...]

    @property
    def doc(self) -> str:
        """What its nodes do, a line each, as Markdown."""
        return "\n".join(f"- **{node}** {PURPOSES.get(node, '')}".rstrip() for node in self.nodes)


def check_names(names: Iterable[str]) -> None:
    """Raises ConfigError for a name that no task can have.

    Args:
        names: the keys of `orchestration.tasks`.
    """
    known = (*_STAGES, *PURPOSES)
    for name in names:
        if name not in known:
            raise ConfigError(
                f"orchestration.tasks.{name}: there is no such task.{nearest(name, known)} There "
                f"are the stages {', '.join(_STAGES)}, and with --tasks nodes the nodes."
            )


def tasks(upstream: Mapping[str, Sequence[str]], grouping: Grouping) -> tuple[Task, ...]:
    """Gathers nodes into tasks.

    Args:
        upstream: each node's id, in an order that runs, with the nodes it needs.
        grouping: `stages` for one process a stage, `nodes` for one a node.
    """
    stage_of = {node: stage for stage, nodes in _STAGES.items() for node in nodes}
    task_of = {
        node: stage_of.get(node, node) if grouping == "stages" else node for node in upstream
    }
    found = []
    for name in dict.fromkeys(task_of.values()):
        members = tuple(node for node, task in task_of.items() if task == name)
        needed = dict.fromkeys(task_of[needs] for node in members for needs in upstream[node])
        found.append(
            Task(name=name, nodes=members, upstream=tuple(task for task in needed if task != name))
        )
    return tuple(found)

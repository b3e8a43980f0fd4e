"""How a scheduled run is carried out: how often a task is tried, and what it may use."""

from __future__ import annotations

from typing import Annotated

import pydantic

from components.settings import Settings
from pipeline.compile.airflow.settings import AirflowSettings
from pipeline.compile.kubeflow.settings import KubeflowSettings
from pipeline.compile.vertex.settings import VertexSettings

# As Kubernetes writes them: `500m` or `2` cores, `4Gi`.
Cores = Annotated[str, pydantic.Field(pattern=r"^[0-9]+(\.[0-9]+|m)?$")]
Bytes = Annotated[str, pydantic.Field(pattern=r"^[0-9]+(\.[0-9]+)?([KMGT]i?)?$")]


class AcceleratorSettings(Settings):
    """Accelerators of a task.

    Attributes:
        type: the resource's name, such as `nvidia.com/gpu`.
        count: how many.
    """

    type: str = pydantic.Field(
        default="nvidia.com/gpu", pattern=r"^[a-z0-9.-]+(/[A-Za-z0-9._-]+)?$"
    )
    count: int = pydantic.Field(default=1, ge=1, le=64)


class TaskSettings(Settings):
    """What an orchestrator grants a task.

    Attributes:
        retries: further attempts after a failure that may pass.
        retry_delay_s: before the second attempt; doubled before each further one.
        timeout_s: after which an attempt is ended; none for no limit.
        cpu, memory: requested and the limit, where tasks are containers.
        accelerator: as well.
        node_selector: labels that the machine must have, where tasks are containers.
    """

    retries: int = pydantic.Field(default=2, ge=0, le=100)
    retry_delay_s: float = pydantic.Field(default=30.0, ge=0, le=86_400)
    timeout_s: float | None = pydantic.Field(default=None, gt=0)
    cpu: Cores | None = None
    memory: Bytes | None = None
    accelerator: AcceleratorSettings | None = None
    node_selector: dict[str, str] = pydantic.Field(default_factory=dict)


class OrchestrationSettings(Settings):
    """How orchestrators run the compiled pipeline; nothing of it changes a result.

    Attributes:
        defaults: of every task.
        tasks: what differs, by the name of a task: a stage (`data`, `train`, `release`) or, with
            `--tasks nodes`, a node. Only the keys that are given there differ.
        image: holds this project and its environment, where tasks are containers.
        airflow, kubeflow, vertex: what only these know.
    """

    defaults: TaskSettings = TaskSettings()
    tasks: dict[str, TaskSettings] = pydantic.Field(default_factory=dict)
    image: str | None = pydantic.Field(default=None, min_length=1)
    airflow: AirflowSettings = AirflowSettings()
    kubeflow: KubeflowSettings = KubeflowSettings()
    vertex: VertexSettings = VertexSettings()

    def of(self, task: str) -> TaskSettings:
        """What a task gets: its own keys over the defaults.

        Args:
            task: its name.
        """
        own = self.tasks.get(task)
        if own is None:
            return self.defaults
        given = {name: getattr(own, name) for name in own.model_fields_set}
        return self.defaults.model_copy(update=given)

"""The pipeline as kfp's specification: a container for each task of the compiled one."""

from __future__ import annotations

import importlib.util
import inspect
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components.errors import ConfigError
from pipeline.compile.bundle import CONFIGURED, DATA, METADATA, ROOT, SCHEMA_PATH, Bundle
from pipeline.compile.settings import OrchestrationSettings, TaskSettings
from pipeline.compile.tasks import Task
from pipeline.resolve import Resolved

# Gives a task of kfp what only one orchestrator has.
Furnish = Callable[[Any, TaskSettings], None]
COMMAND = ("python", "-m", "pipeline.run_node")
SPAN, RUN_ID = "span", "run_id"
_FLAGS = (ROOT, DATA, METADATA)


@dataclass(frozen=True)
class Parameter:
    """A parameter of the pipeline in Kubeflow.

    Attributes:
        name: in Kubeflow.
        flag: what the command is given it with, up to where the value stands.
        default: None for one that every run must be given.
    """

    name: str
    flag: tuple[str, ...]
    default: str | None

    def words(self) -> tuple[str, ...]:
        """The words of the command, with Kubeflow's place for the value."""
        *before, last = self.flag
        # Written out, since not every version of Kubeflow knows its places for optional values.
        return (*before, f"{last}{{{{$.inputs.parameters['{self.name}']}}}}")


def pipeline_text(
    bundle: Bundle,
    resolved: Resolved,
    *,
    ir: str,
    folder: str,
    furnish: Furnish,
) -> str:
    """The pipeline as YAML.

    Args:
        bundle: the compiled pipeline.
        resolved: its configuration: the image, and what the tasks are granted.
        ir: where the containers find the compiled pipeline.
        folder: where they find the root and the data, unless a run is told otherwise.
        furnish: gives a task what only this orchestrator has; raises ValueError for a setting that
            it does not have.

    Raises:
        ConfigError: a setting has a value that kfp or the orchestrator does not take.
    """
    # An extra of this project, and a second to import.
    from kfp import compiler, dsl

    orchestration = resolved.config.orchestration
    known, image = parameters(bundle, folder), _image(orchestration)

    def body(*values: Any) -> None:
        given = dict(zip((item.name for item in known), values, strict=True))
        given[RUN_ID] = dsl.PIPELINE_JOB_ID_PLACEHOLDER
        placed: dict[str, Any] = {}
        for task in bundle.tasks:
            granted = orchestration.of(task.name)
            component = _component(task, granted, known, image=image, ir=ir)
            placed[task.name] = component(**given).after(*(placed[name] for name in task.upstream))
            try:
                _grant(placed[task.name], granted)
                furnish(placed[task.name], granted)
            except ValueError as error:
                raise ConfigError(f"orchestration, of the task {task.name}: {error}") from error

    # What kfp reads the pipeline's parameters from.
    body.__signature__ = _signature(known)  # type: ignore[attr-defined]
    description = resolved.config.model_card.title or f"{bundle.name}, made by Waybill"
    pipeline = dsl.pipeline(name=bundle.name, description=description)(body)
    with tempfile.TemporaryDirectory(prefix="compile-") as scratch:
        path = Path(scratch) / "pipeline.yaml"
        compiler.Compiler().compile(pipeline, str(path))
        return path.read_text(encoding="utf-8")


def check(orchestration: OrchestrationSettings) -> None:
    """Raises ConfigError if kfp is not installed, or no image is named."""
    if importlib.util.find_spec("kfp") is None:
        raise ConfigError(
            "This target needs kfp, which is not installed: pip install 'waybill[kubeflow]'."
        )
    _image(orchestration)


def _image(orchestration: OrchestrationSettings) -> str:
    if orchestration.image is None:
        raise ConfigError(
            "orchestration.image: tasks are containers. Name the image that holds this project and "
            "its environment."
        )
    return orchestration.image


def parameters(bundle: Bundle, folder: str) -> tuple[Parameter, ...]:
    """What a run can be told, and what it must be told first.

    Args:
        bundle: the compiled pipeline.
        folder: where the root and the data are by default.
    """
    metadata = Parameter(METADATA, (f"--{METADATA}", ""), bundle.parameters[METADATA])
    found = [Parameter(ROOT, (f"--{ROOT}", ""), f"{folder}/output"), metadata]
    # Built-in data is in the image.
    if DATA in bundle.parameters and bundle.parameters[DATA] is None:
        found.append(Parameter(DATA, (f"--{DATA}", ""), f"{folder}/data"))
    if bundle.has_spans:
        found.append(Parameter(SPAN, (f"--{SPAN}", ""), CONFIGURED))
    for name, default in bundle.parameters.items():
        if name not in (*_FLAGS, SCHEMA_PATH):
            found.append(Parameter(name.replace(".", "_"), ("--param", f"{name}="), default))
    return tuple(sorted(found, key=lambda item: item.default is not None))


def _signature(known: tuple[Parameter, ...]) -> inspect.Signature:
    kind, none = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.empty
    return inspect.Signature(
        [
            inspect.Parameter(
                item.name,
                kind,
                annotation=str,
                default=none if item.default is None else item.default,
            )
            for item in known
        ]
    )


def _component(
    task: Task, granted: TaskSettings, known: tuple[Parameter, ...], *, image: str, ir: str
) -> Any:
    from kfp import components

    run_id = Parameter(RUN_ID, ("--run-id", ""), None)
    words = [word for item in (run_id, *known) for word in item.words()]
    # Kubeflow repeats whatever ended with an error, also data that was rejected; and not what was
    # lost with its machine. So the command itself goes on as far as that can help.
    words += ["--retries", str(granted.retries), "--retry-delay", f"{granted.retry_delay_s:g}"]
    if granted.timeout_s is not None:
        words += ["--timeout", f"{granted.timeout_s:g}"]
    document: Mapping[str, Any] = {
        "name": task.name,
        "description": task.doc,
        "inputs": [{"name": item.name, "type": "String"} for item in (run_id, *known)],
        "implementation": {
            "container": {
                "image": image,
                "command": list(COMMAND),
                "args": ["--ir", ir, "--node", ",".join(task.nodes), *words],
            }
        },
    }
    return components.load_component_from_text(yaml.safe_dump(document))


def _grant(task: Any, granted: TaskSettings) -> None:
    """What the task may use; kfp raises ValueError for what it does not take."""
    # Results are used again by this project's own rules; Kubeflow sees only the command.
    task.set_caching_options(False)
    if granted.cpu is not None:
        task.set_cpu_request(granted.cpu).set_cpu_limit(granted.cpu)
    if granted.memory is not None:
        task.set_memory_request(granted.memory).set_memory_limit(granted.memory)
    if granted.accelerator is not None:
        task.set_accelerator_type(granted.accelerator.type)
        task.set_accelerator_limit(granted.accelerator.count)

"""The nodes of the graph, in order, without TFX: what each reads and what decides its result.

`pipeline.graph` builds the components of exactly these nodes; a test holds the two together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.evaluation.custom import hashes_of as function_hashes
from components.training.functions import hashes_of
from components.training.watching.requirements import require_trackers
from pipeline.config import PipelineConfig
from pipeline.contract import check_columns, is_drift_on, log_hash
from pipeline.resolve import Resolved

# Shared by the stages that read columns; an edit of one re-runs them.
_COLUMNS = ("components/features.py", "components/settings.py")
_RAW_INPUTS = "components/raw_inputs.py"
# What of `serving` loads models, and what publishes them; the rest of it changes no result.
_LOADING = (
    "serving/c_api.py",
    "serving/runtime.py",
    "serving/signatures.py",
    "serving/tensors.py",
)
_PUBLISHING = (
    "serving/contents.py",
    "serving/manifests.py",
    "serving/remote.py",
    "serving/shelves.py",
    "serving/versions.py",
)
# What of it makes a model; `pipeline.graph` lets the model card tell which it was.
MODEL_CODE = (
    "components/ingestion",
    "components/transform",
    "components/training",
    _RAW_INPUTS,
    *_COLUMNS,
)

BASELINE = "BaselineResolver"
ACCEPTED = "AcceptedDataResolver"
STARTING = "StartingModelResolver"
TUNER = "Tuner"


@dataclass(frozen=True, kw_only=True)
class Node:
    """One node.

    Attributes:
        id: the component's id.
        inputs: input key to (upstream node, its output key).
        after: nodes that must have succeeded before, without passing data.
        code: files and folders whose edit changes the result.
        settings: the settings that change the result, as JSON values.
        is_cacheable: false for a node that must look anew at each run.
    """

    id: str
    inputs: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    is_cacheable: bool = True

    @property
    def upstream(self) -> tuple[str, ...]:
        """The ids of all nodes that must finish first."""
        return tuple(dict.fromkeys([source for source, _ in self.inputs.values()] + [*self.after]))


def nodes(resolved: Resolved, served: Path | None = None) -> tuple[Node, ...]:
    """All nodes of the run, in an order that runs.

    Args:
        resolved: the settings of every stage, and what the data adds.
        served: the folder of the pushed versions, where one says what is live; it decides nothing
            that is kept.

    Raises:
        ConfigError: the contract or the training names a column, a file or a package that is not
            there.
    """
    check_columns(resolved)
    require_trackers(resolved.config.training.watch)
    config = resolved.config
    spec = resolved.data_spec.model_dump(mode="json")
    examples = ("ExampleGen", "examples")
    statistics = ("StatisticsGen", "statistics")
    schema = ("SchemaGen", "schema")
    model = ("Trainer", "model")
    schema_path = config.validation.schema_path
    accepted = (
        [Node(id=ACCEPTED, inputs={"current": statistics}, is_cacheable=False)]
        if is_drift_on(resolved)
        else []
    )
    starting = (
        [
            Node(
                id=STARTING,
                inputs={"examples": ("Transform", "transformed_examples")},
                settings=trainer_settings(resolved),
                is_cacheable=False,
            )
        ]
        if config.training.warm_start
        else []
    )
    trained_on = {
        "examples": ("Transform", "transformed_examples"),
        "transform_graph": ("Transform", "transform_graph"),
        "schema": schema,
        **({"base_model": (STARTING, "model")} if starting else {}),
    }
    tuner = (
        [
            Node(
                id=TUNER,
                inputs=trained_on,
                code=("components/training", _RAW_INPUTS, *_COLUMNS),
                settings={
                    **trainer_settings(resolved),
                    "tuning": config.tuning.model_dump(mode="json"),
                },
            )
        ]
        if config.tuning is not None
        else []
    )
    return (
        Node(
            id="ExampleGen",
            code=("components/ingestion",),
            settings={
                # Which spans are read shows in the content of the data.
                "data": config.data.model_dump(mode="json", exclude={"span", "version", "window"}),
                "columns": dict(resolved.column_types),
            },
        ),
        Node(
            id="StatisticsGen",
            inputs={"examples": examples},
            settings={"opaque": list(resolved.opaque)},
        ),
        Node(
            id="SchemaGen",
            code=("components/validation/curated_schema.py",),
            settings={"schema": _file_hash(schema_path)},
        )
        if schema_path
        else Node(id="SchemaGen", inputs={"statistics": statistics}),
        Node(
            id="ExampleValidator",
            inputs={"statistics": statistics, "schema": schema},
            code=("components/validation/executor.py", "components/validation/contract.py"),
        ),
        *accepted,
        Node(
            id="DataGate",
            inputs={
                "examples": examples,
                "statistics": statistics,
                "schema": schema,
                "anomalies": ("ExampleValidator", "anomalies"),
                **({"accepted_statistics": (ACCEPTED, "statistics")} if accepted else {}),
            },
            code=("components/validation", *_COLUMNS),
            settings={
                "validation": config.validation.model_dump(mode="json"),
                "serving_log": log_hash(resolved),
                "spec": spec,
            },
        ),
        Node(
            id="Transform",
            inputs={"examples": examples, "schema": schema},
            after=("DataGate",),
            code=("components/transform", *_COLUMNS),
            settings={"transform": config.transform.model_dump(mode="json"), "spec": spec},
        ),
        *starting,
        *tuner,
        Node(
            id="Trainer",
            inputs={
                **trained_on,
                **({"hyperparameters": (TUNER, "best_hyperparameters")} if tuner else {}),
            },
            code=("components/training", _RAW_INPUTS, *_COLUMNS),
            settings=trainer_settings(resolved),
        ),
        Node(
            id=BASELINE,
            inputs={"candidate": model},
            settings={
                "served": str(served or ""),
                "label": config.evaluation.baseline.label,
            },
            is_cacheable=False,
        ),
        Node(
            id="Evaluator",
            inputs={
                "examples": examples,
                "model": model,
                "baseline_model": (BASELINE, "model"),
                "schema": schema,
            },
            code=("components/evaluation", *_COLUMNS),
            settings={
                "evaluation": resolved.evaluation.model_dump(mode="json"),
                "functions": function_hashes(resolved.evaluation),
                "spec": spec,
            },
        ),
        Node(
            id="ServingCheck",
            inputs={
                "examples": examples,
                "model": model,
                "transform_graph": ("Transform", "transform_graph"),
            },
            code=("components/serving_check", *_LOADING, _RAW_INPUTS, *_COLUMNS),
            settings={"serving_check": config.serving_check.model_dump(mode="json"), "spec": spec},
        ),
        Node(
            id="ModelCard",
            inputs={
                "model": model,
                "model_run": ("Trainer", "model_run"),
                "examples": examples,
                "statistics": statistics,
                "schema": schema,
                "evaluation": ("Evaluator", "evaluation"),
                "model_blessing": ("Evaluator", "blessing"),
                "infra_blessing": ("ServingCheck", "blessing"),
            },
            code=("components/model_card", _RAW_INPUTS, *_COLUMNS),
            settings={
                "model_card": config.model_card.model_dump(mode="json"),
                "name": config.name,
                "spec": spec,
            },
        ),
        Node(
            id="Pusher",
            inputs={
                "model": model,
                "model_blessing": ("Evaluator", "blessing"),
                "infra_blessing": ("ServingCheck", "blessing"),
                "model_card": ("ModelCard", "model_card"),
                "evaluation": ("Evaluator", "evaluation"),
                "examples": examples,
            },
            code=("components/pushing", *_PUBLISHING),
            settings={"push": config.push.model_dump(mode="json"), "name": config.name},
        ),
    )


def served_folder(config: PipelineConfig, root: Path) -> Path | None:
    """The folder of the pushed versions; None if they are pushed to a URL.

    Args:
        config: of the pipeline.
        root: of the run.
    """
    if config.push.is_url:
        return None
    return root.absolute() / (config.push.directory or "serving") / config.name


def trainer_settings(resolved: Resolved) -> dict[str, Any]:
    """The settings that decide what the Trainer makes of the same data."""
    return {
        "training": resolved.config.training.model_dump(mode="json"),
        "files": hashes_of(resolved.config.training),
        "spec": resolved.data_spec.model_dump(mode="json"),
    }


def _file_hash(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()

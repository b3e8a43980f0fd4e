"""What a run writes of a stock TFX pipeline that takes in many spans and trains many models."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

NUM_SPANS, NUM_SEGMENTS = 9, 11
_REFUSED_EVERY = 7


@dataclass(frozen=True)
class Node:
    """A node: the channels it reads as `node.channel`, and (channel, type, count) it writes."""

    kind: str
    inputs: Sequence[str] = ()
    outputs: Sequence[tuple[str, str, int]] = ()


NODES = {
    "ExampleGen": Node(
        "tfx.components.example_gen.csv_example_gen.component.CsvExampleGen",
        outputs=[("examples", "Examples", NUM_SPANS)],
    ),
    "StatisticsGen": Node(
        "tfx.components.statistics_gen.component.StatisticsGen",
        ["ExampleGen.examples"],
        [("statistics", "ExampleStatistics", NUM_SPANS)],
    ),
    "SchemaGen": Node(
        "tfx.components.schema_gen.component.SchemaGen",
        ["StatisticsGen.statistics"],
        [("schema", "Schema", 1)],
    ),
    "ExampleValidator": Node(
        "tfx.components.example_validator.component.ExampleValidator",
        ["StatisticsGen.statistics", "SchemaGen.schema"],
        [("anomalies", "ExampleAnomalies", NUM_SPANS)],
    ),
    "Transform": Node(
        "tfx.components.transform.component.Transform",
        ["ExampleGen.examples", "SchemaGen.schema"],
        [
            ("transform_graph", "TransformGraph", 1),
            ("transformed_examples", "Examples", NUM_SPANS),
            ("updated_analyzer_cache", "TransformCache", NUM_SPANS),
            ("pre_transform_schema", "Schema", 1),
            ("pre_transform_stats", "ExampleStatistics", 1),
            ("post_transform_schema", "Schema", 1),
            ("post_transform_stats", "ExampleStatistics", 1),
            ("post_transform_anomalies", "ExampleAnomalies", 1),
        ],
    ),
    "Trainer": Node(
        "tfx.components.trainer.component.Trainer",
        ["Transform.transformed_examples", "Transform.transform_graph", "SchemaGen.schema"],
        [("model", "Model", NUM_SEGMENTS), ("model_run", "ModelRun", NUM_SEGMENTS)],
    ),
    "BaselineResolver": Node("tfx.dsl.components.common.resolver.Resolver"),
    "Evaluator": Node(
        "tfx.components.evaluator.component.Evaluator",
        ["ExampleGen.examples", "Trainer.model"],
        [
            ("evaluation", "ModelEvaluation", NUM_SEGMENTS),
            ("blessing", "ModelBlessing", NUM_SEGMENTS),
        ],
    ),
    "InfraValidator": Node(
        "tfx.components.infra_validator.component.InfraValidator",
        ["ExampleGen.examples", "Trainer.model"],
        [("blessing", "InfraBlessing", NUM_SEGMENTS)],
    ),
    "Pusher": Node(
        "tfx.components.pusher.component.Pusher",
        ["Trainer.model", "Evaluator.blessing", "InfraValidator.blessing"],
        [("pushed_model", "PushedModel", NUM_SEGMENTS)],
    ),
}
DATA_NODES = ("ExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "Transform")


def is_refused(index: int) -> bool:
    """Whether the Evaluator refuses the models of a run, by its place among all runs."""
    return index % _REFUSED_EVERY == 0


def file_of(index: int, place: int) -> str:
    """The path of a raw file that a run read."""
    return f"/data/{index}/span-{place}.csv"


def hash_of(index: int, place: int) -> str:
    """What stands for the SHA-256 of that file."""
    return hashlib.sha256(file_of(index, place).encode()).hexdigest()


def uri_of(path: str) -> str:
    """Where an artifact lies."""
    return f"/store/artifacts/{path}"


def properties(key: str, index: int, place: int) -> Iterator[tuple[str, int | str]]:
    """What a node notes on the artifact at `place` of one of its channels."""
    refused = is_refused(index)
    if key == "ExampleGen.examples":
        path = file_of(index, place)
        raw = {"path": path, "bytes": 10_000, "sha256": hash_of(index, place), "rows": 500}
        yield "span", index * NUM_SPANS + place
        yield "input_fingerprint", f"split:train,num_files:1,xor_checksum:{index},sum:{place}"
        yield "waybill_input", json.dumps([raw])
    elif key == "Evaluator.blessing":
        yield "blessed", 0 if refused else 1
        yield "reason", "auc on all examples: 0.9 is below 0.99" if refused else "all met"
    elif key == "Evaluator.evaluation":
        yield "candidate_metrics", json.dumps({"auc": 0.9 + index % 90 / 1000})
    elif key == "Pusher.pushed_model":
        yield "pushed", 0 if refused else 1
        if not refused:
            yield "pushed_version", str(index + 1)
            yield "pushed_destination", f"/store/serving/segment-{place}/{index + 1}"

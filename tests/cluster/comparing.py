"""What two runs of a node left behind, side by side."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.command import Result

SPLITS = ("train", "eval")


def outputs(result: Result, node: str, key: str) -> tuple[Any, Any]:
    """An output artifact of the first execution of a taxi node, and that of the newest."""
    done = [found for found in result.executions("taxi", node) if found.state == "COMPLETE"]
    assert len(done) > 1, f"{node} ran once"
    return done[-1].output(key), done[0].output(key)


def statistics_differ(first: str, second: str) -> list[str]:
    """The places where the statistics of two artifacts differ; numbers may by one in a million."""
    import tfx  # noqa: F401, I001 (tensorflow_data_validation needs it first)
    import tensorflow_data_validation as tfdv
    from google.protobuf.json_format import MessageToDict

    found = []
    for split in SPLITS:
        trees = []
        for uri in (first, second):
            statistics = tfdv.load_stats_binary(f"{uri}/Split-{split}/FeatureStats.pb")
            tree = MessageToDict(statistics.datasets[0])
            tree["features"] = {item["path"]["step"][0]: item for item in tree["features"]}
            trees.append(tree)
        found += list(_differ(*trees, split))
    return found


def _differ(first: Any, second: Any, place: str) -> Iterator[str]:
    if isinstance(first, dict) and isinstance(second, dict):
        for key in first.keys() | second.keys():
            yield from _differ(first.get(key), second.get(key), f"{place}.{key}")
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for number, pair in enumerate(zip(first, second, strict=True)):
            yield from _differ(*pair, f"{place}[{number}]")
    elif isinstance(first, float) and isinstance(second, float):
        if not math.isclose(first, second, rel_tol=1e-6, abs_tol=1e-9):
            yield f"{place}: {first} and {second}"
    elif first != second:
        yield f"{place}: {first} and {second}"


def examples(uri: str, split: str) -> Counter[bytes]:
    """How often each example is in a split, whatever their order and that of their features."""
    import tensorflow as tf

    files = sorted(map(str, Path(uri, f"Split-{split}").iterdir()))
    found: Counter[bytes] = Counter()
    for record in tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator():
        example = tf.train.Example.FromString(record)
        found[example.SerializeToString(deterministic=True)] += 1
    return found


def metrics(artifact: Any) -> dict[str, float]:
    """The candidate's metrics over all examples."""
    return json.loads(artifact.text("candidate_metrics"))

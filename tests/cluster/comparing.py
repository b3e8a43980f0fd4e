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
# An example: the values of each of its features, in the order of their names.
Row = tuple[tuple[str, tuple[Any, ...]], ...]


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


def examples_differ(first: str, second: str, split: str, *, tolerance: float) -> tuple[int, int]:
    """How many examples of a split only the first artifact has, and how many only the second.

    Args:
        first, second: the artifacts' folders.
        split: of both.
        tolerance: by how much a float may differ: a share of it, or of 1 where it is less.
    """
    both = [_examples(uri, split) for uri in (first, second)]
    floats = {one for rows in both for row in rows for one in _values(row) if _is_float(one)}
    groups = _groups(floats, tolerance)
    here, there = (
        Counter(
            tuple(
                (name, tuple(groups[one] if _is_float(one) else one for one in values))
                for name, values in row
            )
            for row in rows
        )
        for rows in both
    )
    return (here - there).total(), (there - here).total()


def num_examples(uri: str, split: str) -> int:
    """How many examples a split has."""
    return len(_examples(uri, split))


def _examples(uri: str, split: str) -> list[Row]:
    import tensorflow as tf

    files = sorted(map(str, Path(uri, f"Split-{split}").iterdir()))
    found = []
    for record in tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        row = []
        for name in sorted(features):
            kind = features[name].WhichOneof("kind")
            row.append((name, tuple(getattr(features[name], kind).value) if kind else ()))
        found.append(tuple(row))
    return found


def _values(row: Row) -> Iterator[Any]:
    return (one for _, values in row for one in values)


def _is_float(value: Any) -> bool:
    return isinstance(value, float)


def _groups(floats: set[float], tolerance: float) -> dict[float, float]:
    """By each float what stands for it: the least of those that lie as close as the tolerance."""
    groups: dict[float, float] = {}
    last = first = -math.inf
    for number in sorted(floats):
        if number - last > tolerance * max(1.0, abs(number)):
            first = number
        groups[number], last = first, number
    return groups


def metrics(artifact: Any) -> dict[str, float]:
    """The candidate's metrics over all examples."""
    return json.loads(artifact.text("candidate_metrics"))

"""Reads what lies in an artifact's folder: evaluations, reports, schemas, statistics.

An artifact may be elsewhere, deleted, or another product's: then there is nothing to read, and the
answer says less. Only files of known names below the artifact's own folder are opened.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.lineage.checksums import local_path
from pipeline.lineage.models import Artifact

_MAX_BYTES = 64 * 2**20
EVALUATION, REPORT, SCHEMA = "evaluation.json", "report.json", "schema.pbtxt"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column in statistics; None stands for what does not apply.

    Attributes:
        count: values that are there.
        missing: examples without a value.
        mean: of numbers.
        std: of numbers.
        unique: different texts.
        top: the most frequent text.
    """

    count: int
    missing: int
    mean: float | None = None
    std: float | None = None
    unique: int | None = None
    top: str | None = None


def evaluation(artifact: Artifact) -> Mapping[str, Any]:
    """The evaluation of a model; empty where there is none to read."""
    return _json(artifact, EVALUATION)


def report(artifact: Artifact) -> Mapping[str, Any]:
    """What the data gate found; empty where there is none to read."""
    return _json(artifact, REPORT)


def schema(artifact: Artifact) -> Any:
    """A Schema message; None where there is none to read."""
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    content = _read(artifact, SCHEMA)
    if content is None:
        return None
    try:
        return text_format.Parse(content.decode(), schema_pb2.Schema())
    except (text_format.ParseError, UnicodeDecodeError):
        return None


def statistics(artifact: Artifact) -> dict[str, tuple[int, dict[str, Column]]]:
    """Split to its number of examples and its columns; empty where there is nothing to read."""
    from google.protobuf.message import DecodeError
    from tensorflow_metadata.proto.v0 import statistics_pb2

    found: dict[str, tuple[int, dict[str, Column]]] = {}
    folder = local_path(artifact.uri)
    if folder is None or not folder.is_dir():
        return found
    for split in sorted(folder.glob("Split-*")):
        content = _read(artifact, f"{split.name}/FeatureStats.pb")
        message = statistics_pb2.DatasetFeatureStatisticsList()
        try:
            message.ParseFromString(content or b"")
        except DecodeError:
            continue
        for dataset in message.datasets[:1]:
            columns = dict(_columns(dataset))
            found[split.name.removeprefix("Split-")] = dataset.num_examples, columns
    return found


def _columns(dataset: Any) -> Iterator[tuple[str, Column]]:
    for feature in dataset.features:
        name = ".".join(feature.path.step) or feature.name
        if feature.HasField("num_stats"):
            stats = feature.num_stats
            common = stats.common_stats
            yield (
                name,
                Column(
                    count=common.num_non_missing,
                    missing=common.num_missing,
                    mean=_finite(stats.mean),
                    std=_finite(stats.std_dev),
                ),
            )
        elif feature.HasField("string_stats"):
            texts = feature.string_stats
            common = texts.common_stats
            top = texts.top_values[0].value if texts.top_values else None
            counts = common.num_non_missing, common.num_missing
            yield name, Column(count=counts[0], missing=counts[1], unique=texts.unique, top=top)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _json(artifact: Artifact, name: str) -> Mapping[str, Any]:
    content = _read(artifact, name)
    try:
        value = json.loads(content) if content else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _read(artifact: Artifact, name: str) -> bytes | None:
    """A file of an artifact; None if it is not there, not below it, or implausibly large."""
    folder = local_path(artifact.uri)
    if folder is None:
        return None
    path = Path(folder, name)
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            return None
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            return None
        return path.read_bytes()
    except OSError:
        return None

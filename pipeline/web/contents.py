"""What is in an artifact's files, as tables and charts; empty where there is nothing to read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pipeline.lineage import checksums, evidence, sources, text
from pipeline.lineage.models import Artifact

_MAX_ROWS = 300
_MAX_VALUES = 40
_MAX_BYTES = 16 * 2**20


@dataclass(frozen=True, kw_only=True)
class Part:
    """A table or some pictures under a title.

    Attributes:
        title: over it.
        columns: the titles of a table's columns; the first names the row.
        rows: the cells of a table, as text.
        charts: a title and a picture each.
        note: a sentence below.
    """

    title: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    charts: Sequence[tuple[str, Markup]] = field(default=())
    note: str = ""


def examples(artifact: Artifact) -> list[Part]:
    """The splits and the raw files they were made of."""
    counted = [(split, f"{num:,}") for split, num in sources.num_rows(artifact).items()]
    files = [
        (item.path, text.size(item.num_bytes), _count(item.num_rows), item.sha256)
        for item in islice(sources.raw_files(artifact), _MAX_ROWS)
    ]
    return _kept(
        Part(title="Splits", columns=("split", "rows"), rows=counted),
        Part(title="Raw files", columns=("file", "size", "rows", "sha256"), rows=files),
    )


def statistics(artifact: Artifact) -> list[Part]:
    """The columns of each split in numbers, and how their values are distributed."""
    parts = [
        Part(
            title=f"Columns of {split}",
            columns=("column", "values", "missing", "mean", "std", "different", "most frequent"),
            rows=[
                (
                    text.clean(name),
                    f"{column.count:,}",
                    f"{column.missing:,}",
                    text.number(column.mean),
                    text.number(column.std),
                    text.number(column.unique),
                    text.short(column.top or "", 40),
                )
                for name, column in islice(columns.items(), _MAX_ROWS)
            ],
            note=f"{num_examples:,} examples",
        )
        for split, (num_examples, columns) in evidence.statistics(artifact).items()
    ]
    charts = list(islice(_distributions(artifact), _MAX_VALUES))
    return _kept(Part(title="Distributions", charts=charts), *parts)


def _distributions(artifact: Artifact) -> Iterator[tuple[str, Markup]]:
    # What draws takes a moment to import.
    from pipeline.report import charts
    from pipeline.report.columns import read_splits
    from pipeline.report.distribution import bin_numbers, rank_values

    folder = checksums.local_path(artifact.uri)
    splits = read_splits(folder) if folder is not None else {}
    names = dict.fromkeys(name for split in splits.values() for name in split.columns)
    for number, name in enumerate(names):
        columns = {
            key: split.columns[name] for key, split in splits.items() if name in split.columns
        }
        known = {key: item.cumulative for key, item in columns.items() if item.cumulative}
        if known:
            title = f"{text.clean(name)} by split"
            chart = charts.histogram(bin_numbers(known), anchor=f"d{number}", title=title)
            yield text.clean(name), chart.full
            continue
        counted = {key: (item.counts, item.num_values) for key, item in columns.items()}
        if any(counts for counts, _ in counted.values()):
            yield text.clean(name), charts.steps(rank_values(counted)).preview


def schema(artifact: Artifact) -> list[Part]:
    """The contract, a line for each feature."""
    message = evidence.schema(artifact)
    if message is None:
        return []
    domains = {item.name: list(item.value) for item in message.string_domain}
    rows = []
    for feature in islice(message.feature, _MAX_ROWS):
        kind = feature.WhichOneof("domain_info")
        domain = ""
        if kind == "domain":
            domain = ", ".join(map(text.clean, domains.get(feature.domain, ())[:_MAX_VALUES]))
        elif kind is not None:
            domain = " ".join(str(getattr(feature, kind)).split())
        presence = feature.presence
        rows.append(
            (
                text.clean(feature.name),
                type(feature)
                .DESCRIPTOR.fields_by_name["type"]
                .enum_type.values_by_number[feature.type]
                .name.lower(),
                text.number(presence.min_fraction) if feature.HasField("presence") else "",
                text.short(domain, 200),
            )
        )
    columns = ("feature", "type", "least share present", "domain")
    return _kept(Part(title="Features", columns=columns, rows=rows))


def anomalies(artifact: Artifact) -> list[Part]:
    """What the validator found in each split."""
    from google.protobuf.message import DecodeError
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    parts = []
    for split, content in _each_split(artifact, "SchemaDiff.pb"):
        message = anomalies_pb2.Anomalies()
        try:
            message.ParseFromString(content)
        except DecodeError:
            continue
        rows = [
            (text.clean(name), text.clean(info.short_description), text.clean(info.description))
            for name, info in sorted(message.anomaly_info.items())
        ]
        note = "" if rows else "Nothing was found."
        parts.append(
            Part(
                title=f"Anomalies of {split}",
                columns=("feature", "what", "details") if rows else (),
                rows=rows,
                note=note,
            )
        )
    return parts


def vocabularies(artifact: Artifact) -> list[Part]:
    """The beginning of each vocabulary."""
    folder = checksums.local_path(artifact.uri)
    assets = folder / "transform_fn" / "assets" if folder is not None else Path()
    parts = []
    for path in sorted(assets.glob("*")) if assets.is_dir() else ():
        if path.is_symlink() or not path.is_file():
            continue
        with path.open("rb") as reader:
            head = reader.read(64_000).decode(errors="replace").splitlines()
        words = [(str(index), text.clean(word)) for index, word in enumerate(head[:_MAX_VALUES])]
        note = f"The first {len(words)}." if len(head) > len(words) else ""
        title = f"Vocabulary {path.name}"
        parts.append(Part(title=title, columns=("number", "value"), rows=words, note=note))
    return parts


def findings(artifact: Artifact) -> list[Part]:
    """What the gate found, and how far the data is from what it was compared with."""
    report = evidence.report(artifact)
    parts = []
    for key, title in (("findings", "Findings"), ("distances", "Distances")):
        found = [item for item in report.get(key, ()) if isinstance(item, dict)]
        columns = list(dict.fromkeys(name for item in found for name in item))
        rows = [
            tuple(text.short(text.number(item.get(name)), 300) for name in columns)
            for item in found[:_MAX_ROWS]
        ]
        parts.append(Part(title=title, columns=tuple(map(text.clean, columns)), rows=rows))
    return _kept(*parts)


def evaluation(artifact: Artifact) -> list[Part]:
    """The decision and the metrics by slice."""
    found = evidence.evaluation(artifact)
    parts = []
    decision = found.get("decision")
    if isinstance(decision, dict):
        columns = ("metric", "slice", "candidate", "baseline", "bound", "threshold", "verdict")
        rows = [
            tuple(text.number(row.get(name)) for name in columns)
            for row in decision.get("rows", ())
            if isinstance(row, dict)
        ]
        note = text.clean(decision.get("reason") or "")
        parts.append(Part(title="Decision", columns=columns, rows=rows, note=note))
    slices = [item for item in found.get("slices", ()) if isinstance(item, dict)]
    names = list(dict.fromkeys(name for item in slices for name in item.get("metrics", ())))
    measured = [
        (
            text.clean(item.get("name", "")),
            text.number(item.get("num_examples")),
            *(_candidate(item, name) for name in names),
        )
        for item in slices[:_MAX_ROWS]
    ]
    titles = ("slice", "examples", *map(text.clean, names))
    return _kept(*parts, Part(title="Metrics by slice", columns=titles, rows=measured))


def curves(artifact: Artifact) -> list[Part]:
    """How the loss and the metrics went, step by step."""
    folder = checksums.local_path(artifact.uri)
    path = folder / "history.json" if folder is not None else Path()
    if not path.is_file() or path.stat().st_size > _MAX_BYTES:
        return []
    from pipeline.report import model_figures

    try:
        drawn = model_figures.curves(json.loads(path.read_bytes()))
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
    charts = [(text.clean(item["name"]), item["chart"]) for item in drawn]
    return _kept(Part(title="Learning curves", charts=charts))


def _candidate(item: Mapping[str, Any], name: str) -> str:
    metric = item.get("metrics", {}).get(name)
    candidate = metric.get("candidate") if isinstance(metric, dict) else None
    return text.number(candidate.get("value")) if isinstance(candidate, dict) else ""


def _each_split(artifact: Artifact, name: str) -> Iterator[tuple[str, bytes]]:
    folder = checksums.local_path(artifact.uri)
    for split in sorted(folder.glob("Split-*")) if folder is not None else ():
        path = split / name
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= _MAX_BYTES:
            yield split.name.removeprefix("Split-"), path.read_bytes()


def _count(number: int) -> str:
    return f"{number:,}" if number >= 0 else ""


def _kept(*parts: Part) -> list[Part]:
    """Those that have something to show."""
    return [part for part in parts if part.rows or part.charts]

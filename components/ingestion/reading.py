"""How the node is told to read: the settings and types that travel with it, as JSON."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from google.protobuf import wrappers_pb2
from tfx.proto import example_gen_pb2
from tfx.types import standard_component_specs
from tfx.utils import proto_utils

from components.errors import ConfigError
from components.ingestion import sources
from components.ingestion.cells import CellType
from components.ingestion.dialect import Dialect
from components.ingestion.spans import Choice
from components.ingestion.splitting import Number


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reading:
    """What the executor and the driver need besides the files.

    Attributes:
        format: of the files.
        dialect: how CSV is written.
        column_types: the type of each column.
        spans: which deliveries are read; None for a path without a span.
        time_column: what rows are split by, if it is time.
        begin: where the eval split begins; None where its share decides.
        share: of the eval split.
    """

    format: str
    dialect: Dialect
    column_types: dict[str, CellType]
    spans: Choice | None = None
    time_column: str | None = None
    begin: Number | str | None = None
    share: float | None = None

    def pack(self) -> example_gen_pb2.CustomConfig:
        """The form that travels."""
        packed = example_gen_pb2.CustomConfig()
        text = json.dumps(dataclasses.asdict(self))
        packed.custom_config.Pack(wrappers_pb2.StringValue(value=text))
        return packed

    @classmethod
    def of(cls, exec_properties: dict[str, Any]) -> Reading:
        """What was packed into the properties of an execution."""
        custom = example_gen_pb2.CustomConfig()
        key = standard_component_specs.CUSTOM_CONFIG_KEY
        proto_utils.json_to_proto(exec_properties[key], custom)
        text = wrappers_pb2.StringValue()
        custom.custom_config.Unpack(text)
        values = json.loads(text.value)
        dialect, choice = values.pop("dialect"), values.pop("spans")
        dialect["columns"] = tuple(dialect["columns"])
        return cls(dialect=Dialect(**dialect), spans=Choice(**choice) if choice else None, **values)


def with_span(custom_config: str, span: int) -> str:
    """The packed `Reading` of data in spans, as JSON, but for another span."""
    reading = Reading.of({standard_component_specs.CUSTOM_CONFIG_KEY: custom_config})
    assert reading.spans is not None
    choice = dataclasses.replace(reading.spans, span=span)
    text: str = proto_utils.proto_to_json(dataclasses.replace(reading, spans=choice).pack())
    return text


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inputs:
    """The files of an execution, and its splits.

    Attributes:
        base_dir: the folder that names are relative to.
        files: each with the index of its split, where folders are the splits; else with None.
        splits: the names of the splits, in order.
        bounds: for each split, the first hash bucket that is not its own; empty for folders.
        key: the column whose hash decides, if one does.
        reading: how the files are read.
    """

    base_dir: Path
    files: tuple[tuple[int | None, Path], ...]
    splits: tuple[str, ...]
    bounds: tuple[int, ...]
    key: str | None
    reading: Reading

    @classmethod
    def of(cls, exec_properties: dict[str, Any]) -> Inputs:
        """Those that the properties of an execution name. Raises ConfigError if a file is gone."""
        config = example_gen_pb2.Output()
        key = standard_component_specs.OUTPUT_CONFIG_KEY
        proto_utils.json_to_proto(exec_properties[key], config)
        split_config = config.split_config
        patterns = input_config(exec_properties).splits
        base_dir = Path(exec_properties[standard_component_specs.INPUT_BASE_KEY])
        names = tuple(split.name for split in split_config.splits)
        is_by_folder = not names
        if is_by_folder:
            names = tuple(pattern.name for pattern in patterns)
        total, bounds = 0, []
        for split in split_config.splits:
            total += split.hash_buckets
            bounds.append(total)
        return cls(
            base_dir=base_dir,
            files=tuple(
                (index if is_by_folder else None, file)
                for index, pattern in enumerate(patterns)
                for file in _files(base_dir, pattern.pattern)
            ),
            splits=names,
            bounds=tuple(bounds),
            key=split_config.partition_feature_name or None,
            reading=Reading.of(exec_properties),
        )


def input_config(exec_properties: dict[str, Any]) -> example_gen_pb2.Input:
    """The patterns of the files."""
    config = example_gen_pb2.Input()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.INPUT_CONFIG_KEY], config)
    return config


def _files(base_dir: Path, pattern: str) -> tuple[Path, ...]:
    files = sources.matching_files(base_dir, pattern)
    if not files:
        raise ConfigError(f"No file in {base_dir} matches {pattern} (data.path). Was it moved?")
    return files

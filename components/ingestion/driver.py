"""The driver of ExampleGen: finds the files of a run; a run is new when their content is new."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfx.components.example_gen import driver, utils
from tfx.orchestration import data_types
from tfx.orchestration.portable import data_types as portable
from tfx.proto import example_gen_pb2
from tfx.proto.orchestration import driver_output_pb2
from tfx.types import standard_component_specs
from tfx.utils import proto_utils

from components.errors import ConfigError
from components.ingestion import raw_files, sources, spans
from components.ingestion.reading import Reading, input_config

# All spans of a window, where `span` is only the last.
_SPANS = "spans"


class ContentDriver(driver.FileBasedDriver):
    """Chooses the spans, and fingerprints files by SHA-256 of their names and contents."""

    def resolve_exec_properties(
        self,
        exec_properties: dict[str, Any],
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> dict[str, Any]:
        """Adds the patterns of the files, their span, version and fingerprint.

        Raises:
            ConfigError: there is no such file, span or version.
        """
        config = input_config(exec_properties)
        base_dir = Path(exec_properties[standard_component_specs.INPUT_BASE_KEY])
        choice = Reading.of(exec_properties).spans
        chosen = _choose(base_dir, config, choice) if choice is not None else ()
        patterns = [split.pattern for split in config.splits]
        files = sources.all_files(base_dir, patterns)
        if not files:
            raise ConfigError(
                f"No file in {base_dir} matches {' or '.join(patterns)} (data.path). Was it moved?"
            )
        exec_properties[standard_component_specs.INPUT_CONFIG_KEY] = proto_utils.proto_to_json(
            config
        )
        # As in TFX, the span of a path without one is 0.
        exec_properties[utils.SPAN_PROPERTY_NAME] = chosen[-1].span if chosen else 0
        exec_properties[utils.VERSION_PROPERTY_NAME] = chosen[-1].version if chosen else None
        fingerprint, self._files = sources.hash_files(base_dir, files)
        exec_properties[utils.FINGERPRINT_PROPERTY_NAME] = fingerprint
        if len(chosen) > 1:
            exec_properties[_SPANS] = f"{chosen[0].span}-{chosen[-1].span}"
        return exec_properties

    def run(self, execution_info: portable.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Records on the artifact what was chosen."""
        result = super().run(execution_info)
        [artifact] = result.output_artifacts[standard_component_specs.EXAMPLES_KEY].artifacts
        artifact.custom_properties[raw_files.INPUT].string_value = raw_files.dump(self._files)
        # A protobuf map makes an entry for a key that it is asked for.
        if _SPANS in result.exec_properties:
            window = result.exec_properties[_SPANS].string_value
            artifact.custom_properties[_SPANS].string_value = window
        return result


def _choose(
    base_dir: Path, config: example_gen_pb2.Input, choice: spans.Choice
) -> tuple[spans.Delivery, ...]:
    """Puts the patterns of the chosen spans in the place of the one with the span in it."""
    [split] = config.splits
    name, pattern = split.name, split.pattern
    chosen = spans.choose(spans.SpanPath(base_dir, pattern), choice)
    del config.splits[:]
    for delivery in chosen:
        config.splits.add(name=name, pattern=delivery.pattern)
    return chosen

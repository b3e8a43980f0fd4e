"""The driver of ExampleGen: a run is new when the content of the files is, not their dates."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tfx.components.example_gen import driver, input_processor
from tfx.proto import example_gen_pb2, range_config_pb2

from components.errors import ConfigError
from components.ingestion import sources


class ContentInputProcessor(input_processor.InputProcessor):
    """Fingerprints files by SHA-256 of their names and contents."""

    def __init__(self, base_dir: Path, splits: Iterable[example_gen_pb2.Input.Split]) -> None:
        super().__init__(splits)
        self._base_dir = base_dir

    def resolve_span_and_version(self) -> tuple[int, int | None]:
        """Always span 0: a path is taken literally and has no span in it."""
        return 0, None

    def get_pattern_for_span_version(self, pattern: str, span: int, version: int | None) -> str:
        """The pattern as it is."""
        return pattern

    def get_latest_span(self) -> int:
        """Always span 0."""
        return 0

    def get_input_fingerprint(self, span: int, version: int | None) -> str:
        """The hash of every file that the patterns match; ConfigError if there is none."""
        hashes = []
        for split in self._splits:
            files = sources.matching_files(self._base_dir, split.pattern)
            if not files:
                raise ConfigError(
                    f"No file in {self._base_dir} matches {split.pattern} (data.path). Was it "
                    "moved?"
                )
            hashes.append(sources.content_hash(self._base_dir, files))
        return ",".join(hashes)


class ContentDriver(driver.FileBasedDriver):
    """FileBasedDriver with fingerprints of contents."""

    def get_input_processor(
        self,
        splits: Iterable[example_gen_pb2.Input.Split],
        range_config: range_config_pb2.RangeConfig | None = None,
        input_base_uri: str | None = None,
    ) -> input_processor.InputProcessor:
        """Returns a ContentInputProcessor for `input_base_uri`."""
        assert input_base_uri
        return ContentInputProcessor(Path(input_base_uri), splits)

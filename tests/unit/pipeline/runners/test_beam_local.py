"""Worker processes start wherever the project lies, and can do the pipeline's steps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PIPELINE = """
import os
import sys
import apache_beam as beam
from pipeline.beam.flags import pipeline_args
from pipeline.config import BeamSettings

sys.executable = sys.argv[1]
flags = pipeline_args(BeamSettings(num_workers=2))


def is_another_process(_, pipeline_pid=os.getpid()):
    import os

    # As StatisticsGen's steps do when they are unpickled; it fails unless tfx was imported before.
    import tensorflow_data_validation

    return str(os.getpid() != pipeline_pid)


with beam.Pipeline(argv=flags) as pipeline:
    _ = (
        pipeline
        | beam.Create([1, 2, 3])
        | beam.Map(is_another_process)
        | beam.io.WriteToText(sys.argv[2])
    )
"""


def test_workers_start_from_a_path_with_a_space_and_import_what_a_step_needs(
    tmp_path: Path,
) -> None:
    python = tmp_path / "a folder" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    # In a process of its own: Beam waits for ever for a worker that does not start.
    done = subprocess.run(
        [sys.executable, "-c", PIPELINE, str(python), str(tmp_path / "out")],
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for file in tmp_path.glob("out*") for line in file.read_text().split()]
    assert lines == ["True"] * 3

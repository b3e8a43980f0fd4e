"""What a run tells of the version that it pushed: where it is, and whether it is live."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.outcome import PUSHED, Outcome, read_labels
from pipeline.plan import Plan
from pipeline.summary import next_command, print_summary


def told(**outcome: object) -> str:
    output = io.StringIO()
    console = Console(file=output, width=200)
    print_summary(console, Plan(()), Outcome(decision=PUSHED, reason="", **outcome), {}, 1.0)
    return output.getvalue()


def test_summary_tells_what_is_live_and_how_to_look_at_it(tmp_path: Path) -> None:
    text = told(pushed_to=str(tmp_path / "taxi" / "3"), labels={"canary": 2, "stable": 3})
    assert "labels    canary is version 2, stable is version 3" in text
    assert "promote" not in text


def test_version_that_is_not_live_is_promoted_next(tmp_path: Path) -> None:
    outcome = Outcome(
        decision=PUSHED,
        reason="",
        pushed_to=str(tmp_path / "my models/taxi/3"),
        labels={"stable": 1},
    )
    command = next_command(outcome)
    assert f"-m serving.models promote 3 --serving '{tmp_path}/my models' --model taxi" in command


def test_place_behind_a_url_is_told_as_it_is() -> None:
    text = told(pushed_to="gs://bucket/serving/taxi/3")
    assert "model     gs://bucket/serving/taxi/3" in text
    assert "serving.server" not in text


@pytest.mark.parametrize("config", [None, b"{"])
def test_labels_that_cannot_be_read_end_no_run(tmp_path: Path, config: bytes | None) -> None:
    if config is not None:
        (tmp_path / "models.config").write_bytes(config)
    assert read_labels(str(tmp_path / "taxi" / "3")) == {}
    assert read_labels("gs://bucket/serving/taxi/3") == {}
    assert read_labels("") == {}

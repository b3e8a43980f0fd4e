"""A job on Spark counts only if its log shows that nothing of it was lost.

The logs are Spark's own, of jobs whose worker was killed or was not, cut down to some of their
stages and to the fields that say something.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.errors import NodeFailed
from pipeline.runners.beam_spark_log import PartLost, check, check_failed

LOGS = Path(__file__).with_name("spark_logs")
GOOD = LOGS / "good.jsonl"
LOST = {path.stem: path for path in LOGS.glob("lost_*.jsonl")}


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def job_of(log: list[dict[str, Any]]) -> str:
    return next(event["App Name"] for event in log if "App Name" in event)


def written(folder: Path, log: list[dict[str, Any]], name: str = "app-1") -> str:
    """Writes a log; returns the job's id."""
    (folder / name).write_text("".join(json.dumps(event) + "\n" for event in log))
    return job_of(log)


def refused(folder: Path, job_id: str) -> NodeFailed:
    with pytest.raises(NodeFailed) as caught:
        check(folder, job_id)
    return caught.value


def test_a_job_that_lost_nothing_counts(tmp_path: Path) -> None:
    check(tmp_path, written(tmp_path, events(GOOD)))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("lost_worker", r"executor 0: worker lost: 127\.0\.0\.1:38827 got disassociated"),
        ("lost_tasks", "a task of stage 23: ExecutorLostFailure"),
        ("lost_output", "a task of stage 3: FetchFailed; 3 more"),
    ],
)
def test_a_job_that_lost_a_worker_does_not_count_and_is_worth_another_attempt(
    name: str, reason: str, tmp_path: Path
) -> None:
    error = refused(tmp_path, written(tmp_path, events(LOST[name])))
    assert isinstance(error, PartLost)
    assert error.is_transient
    with pytest.raises(NodeFailed, match=reason):
        raise error


def test_each_sign_of_a_loss_counts_by_itself(tmp_path: Path) -> None:
    def is_sign(event: dict[str, Any]) -> bool:
        reason = event.get("Task End Reason", {"Reason": "Success"})["Reason"]
        again = event["Event"].endswith("StageSubmitted") and _attempt(event) > 0
        return event["Event"] == "SparkListenerExecutorRemoved" or reason != "Success" or again

    good = events(GOOD)
    signs = [event for path in LOST.values() for event in events(path) if is_sign(event)]
    kinds = {event["Event"] for event in signs}
    assert {"SparkListenerExecutorRemoved", "SparkListenerTaskEnd"} <= kinds
    for sign in signs:
        job_id = written(tmp_path, [*good[:-1], sign, good[-1]])
        assert isinstance(refused(tmp_path, job_id), PartLost), sign


def _attempt(event: dict[str, Any]) -> int:
    return event.get("Stage Info", {}).get("Stage Attempt ID", 0)


def test_executors_that_end_after_the_application_are_no_loss(tmp_path: Path) -> None:
    [removed] = [
        event
        for event in events(LOST["lost_worker"])
        if event["Event"] == "SparkListenerExecutorRemoved"
    ]
    check(tmp_path, written(tmp_path, [*events(GOOD), removed]))


def test_without_the_log_of_the_job_nothing_counts(tmp_path: Path) -> None:
    written(tmp_path, events(GOOD))
    error = refused(tmp_path, "another job")
    assert "event log is missing" in str(error)
    assert not error.is_transient
    assert "event log is missing" in str(refused(tmp_path / "no folder", "another job"))


def test_a_log_that_lacks_a_task_or_its_end_does_not_count(tmp_path: Path) -> None:
    good = events(GOOD)
    needed = {"SparkListenerTaskEnd", "SparkListenerApplicationEnd"}
    places = [place for place, event in enumerate(good) if event["Event"] in needed]
    assert len(places) > 5
    for place in places:
        job_id = written(tmp_path, [*good[:place], *good[place + 1 :]])
        assert "not whole" in str(refused(tmp_path, job_id)), place


def test_a_line_that_breaks_off_ends_the_log(tmp_path: Path) -> None:
    job_id = written(tmp_path, events(GOOD))
    path = tmp_path / "app-1"
    path.write_text(path.read_text()[:-10])
    assert "not whole" in str(refused(tmp_path, job_id))


def test_a_job_is_told_from_others_in_the_folder(tmp_path: Path) -> None:
    good = written(tmp_path, events(GOOD), "app-1")
    lost = written(tmp_path, events(LOST["lost_worker"]), "app-2")
    check(tmp_path, good)
    assert isinstance(refused(tmp_path, lost), PartLost)


def test_a_job_that_failed_is_worth_another_attempt_only_after_a_loss(tmp_path: Path) -> None:
    check_failed(tmp_path, "a job without a log")
    check_failed(tmp_path, written(tmp_path, events(GOOD)[:9]))
    with pytest.raises(PartLost):
        check_failed(tmp_path, written(tmp_path, events(LOST["lost_worker"])[:-1]))

"""What a user reads while a run goes on, and at its end."""

from __future__ import annotations

import dataclasses
import io
import json
import sys
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.layout import Layout
from pipeline.lineage.models import Artifact, Execution
from pipeline.nodes import Node
from pipeline.outcome import NOT_GOOD_ENOUGH, PUSHED, Outcome, read_outcome
from pipeline.plan import Plan, Step
from pipeline.progress import Display, format_report
from pipeline.summary import print_summary, write_report

PLAN = Plan(
    (
        Step(node=Node(id="Transform"), action="cached", why="nothing changed"),
        Step(node=Node(id="Trainer"), action="run", why="[bold]settings[/] changed"),
    )
)


def outcome(decision: str = PUSHED, pushed_to: str = "/root dir/serving/taxi/3") -> Outcome:
    return Outcome(
        decision=decision,
        reason="every threshold was met",
        pushed_to=pushed_to,
        candidate={"auc": 0.95},
        baseline={"auc": 0.94},
        num_rows={"train": 10_000, "eval": 5_000},
        warnings=("'new' (train split): [odd]",),
    )


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_outside_a_terminal_each_change_is_a_plain_line(console: Console) -> None:
    with Display(PLAN, console) as display:
        display.on_node("Trainer", "running", 0)
        display.on_report("Trainer", {"step": 5, "total": 10, "loss": 0.5})
        display.on_node("Trainer", "done", 1.25)
    assert text(console).splitlines() == [
        "Trainer: running",
        "Trainer: step 5 of 10, loss 0.5000",
        "Trainer: done in 1.2 s",
    ]
    assert display.seconds == {"Trainer": 1.25}


def test_reports_are_not_printed_more_often_than_can_be_read(console: Console) -> None:
    with Display(PLAN, console) as display:
        for step in range(1000):
            display.on_report("Trainer", {"step": step, "total": 1000})
    assert len(text(console).splitlines()) == 1


def test_a_quiet_run_shows_nothing(console: Console) -> None:
    with Display(PLAN, console, is_quiet=True) as display:
        display.on_node("Trainer", "running", 0)
        display.on_report("Trainer", {"rows": 3})
    assert text(console) == ""


def test_in_a_terminal_the_table_shows_state_and_report() -> None:
    terminal = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    with Display(PLAN, terminal) as display:
        display.on_node("Trainer", "running", 0)
        display.on_report("Trainer", {"step": 5, "total": 10, "examples_per_s": 1234.5})
    shown = text(terminal)
    assert "Transform" in shown
    assert "step 5 of 10, 1,234 examples/s" in shown


def test_a_training_tells_rate_speed_and_the_time_left() -> None:
    told = format_report(
        {
            "step": 200,
            "total": 1000,
            "loss": 0.31234,
            "learning_rate": 0.00195,
            "examples_per_s": 5041,
            "seconds_left": 89.6,
        }
    )
    assert told == (
        "step 200 of 1000, loss 0.3123, learning rate 0.0019, 5,041 examples/s, 0:01:30 left"
    )


def test_a_finished_training_has_no_time_left() -> None:
    assert format_report({"step": 9, "total": 9, "seconds_left": 0.0}) == "step 9 of 9"


def test_a_note_is_printed_at_once_and_only_once(console: Console) -> None:
    with Display(PLAN, console) as display:
        display.on_report("Trainer", {"step": 1, "total": 10})
        for _ in range(2):
            display.on_report("Trainer", {"note": "CPU, 2 cores; [XLA]"})
    assert text(console).splitlines() == ["Trainer: step 1 of 10", "Trainer: CPU, 2 cores; [XLA]"]


def test_in_a_terminal_a_running_training_has_a_bar_and_its_notes_below() -> None:
    terminal = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    with Display(PLAN, terminal) as display:
        display.on_node("Trainer", "running", 0)
        display.on_report("Trainer", {"note": "CPU, 2 cores"})
        display.on_report("Trainer", {"step": 5, "total": 10})
    lines = text(terminal).splitlines()
    [row] = [number for number, line in enumerate(lines) if "step 5 of 10" in line]
    assert "\u2501" * 10 in lines[row]
    assert "CPU, 2 cores" in lines[row + 1]


def test_in_a_terminal_the_chatter_of_libraries_stays_out_of_the_table(
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    with Display(PLAN, terminal):
        print("from a library", file=sys.stderr)
    assert "from a library" not in text(terminal)
    assert "from a library" in capsys.readouterr().err


def test_a_report_of_unknown_values_is_silent() -> None:
    assert format_report({"other": 1}) == ""


def test_the_summary_names_decision_version_and_next_command(console: Console) -> None:
    print_summary(console, PLAN, outcome(), {"Trainer": 2.0}, 3.0)
    shown = text(console)
    for part in ("pushed: every threshold", "/root dir/serving/taxi/3", "0.95", "0.94", "10,000"):
        assert part in shown
    assert "-m serving.server --serving '/root dir/serving'" in shown
    assert "'new' (train split): [odd]" in shown


def test_the_summary_of_a_refused_model_suggests_no_folder(console: Console) -> None:
    print_summary(console, PLAN, outcome(NOT_GOOD_ENOUGH, ""), {}, 3.0)
    assert "serving.server" not in text(console)


def test_the_report_is_whole_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "report" / "run.json"
    write_report(path, "r", PLAN, outcome(), {"Trainer": 2.0})
    report = json.loads(path.read_text())
    assert [node["state"] for node in report["nodes"]] == ["cached", "run"]
    assert report["decision"] == PUSHED
    assert [item.name for item in path.parent.iterdir()] == ["run.json"]


def test_the_report_has_the_page_of_the_training(tmp_path: Path) -> None:
    model_run = tmp_path / "model_run"
    model_run.mkdir()
    (model_run / "training.html").write_text("page")
    (model_run / "learning_curve.png").write_bytes(b"\x89PNG")
    layout = Layout(tmp_path / "root")
    trained = dataclasses.replace(outcome(), training=str(model_run))
    write_report(layout.report, "r", PLAN, trained, {})
    assert layout.training_page.read_text() == "page"
    assert (layout.report.parent / "learning_curve.png").read_bytes() == b"\x89PNG"


def test_a_page_of_another_run_does_not_stay_in_the_report(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.report.parent.mkdir()
    layout.training_page.write_text("of the run before")
    write_report(layout.report, "r", PLAN, outcome(), {})
    assert not layout.training_page.exists()


def test_the_outcome_knows_where_the_trainer_left_its_record() -> None:
    record = Artifact(id=1, type="ModelRun", uri="/root/model_run/7", live=True, properties={})
    done = Execution(
        id=1,
        node="Trainer",
        state="COMPLETE",
        run="r",
        started_ms=0,
        updated_ms=0,
        properties={},
        inputs={},
        outputs={"model_run": (record,)},
    )
    others = ("ExampleGen", "DataGate", "Evaluator", "ServingCheck", "Pusher")
    steps = [Step(node=Node(id=name), action="skip", why="") for name in others]
    steps.append(Step(node=Node(id="Trainer"), action="cached", why="", earlier=done))
    assert read_outcome(Plan(tuple(steps))).training == "/root/model_run/7"

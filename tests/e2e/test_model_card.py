"""The page of the model and the model card of real runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from components.features import DataSpec
from components.raw_inputs import raw_inputs
from pipeline.layout import Layout
from tests.command import Command, Result
from tests.unit.pipeline.report_cases import Page

FILES = ("model_card.md", "model_card.html")


def test_the_model_has_a_page_that_the_first_one_leads_to(taxi_run: Result) -> None:
    layout = Layout(taxi_run.root)
    shown = Page(layout.model_page.read_text())
    [verdict] = shown.all("p", **{"class": "verdict good"})
    assert verdict[1] == "Good enough, servable, and pushed."
    titles = " ".join(text for _, text in shown.all("title"))
    for name in ("auc of each slice", "ROC", "Precision and recall", "Calibration", "loss at"):
        assert name in titles
    assert "payment_type=Cash" in shown.all("table")[2][1]
    assert len(shown.all("table", **{"class": "wide thresholds"})) == 1
    assert layout.model_page.stat().st_size < 1_000_000
    links = Page(layout.index_page.read_text()).links
    assert {"model.html", "model_card.html", "data.html", "training.html"} <= set(links)


def test_the_card_is_in_the_report_and_goes_with_the_model(taxi_run: Result) -> None:
    version = Path(taxi_run.report["pushed_to"])
    [execution] = taxi_run.executions("taxi", "ModelCard")
    card = execution.output("model_card")
    assert card is not None
    for name in FILES:
        written = (Path(card.uri) / name).read_bytes()
        assert (version / "assets.extra" / name).read_bytes() == written
        assert Layout(taxi_run.root).card_page.with_name(name).read_bytes() == written
    text = (Path(card.uri) / FILES[0]).read_text()
    rows = taxi_run.report["rows"]
    assert f"{rows['train']:,} train, {rows['eval']:,} eval" in text
    [trainer] = taxi_run.executions("taxi", "Trainer")
    model = trainer.output("model")
    assert model is not None
    for known in (taxi_run.report["run"], f"| model | Model | {model.text('waybill_sha256')} |"):
        assert known in text


def test_the_pushed_model_answers_the_request_on_its_card(taxi_run: Result) -> None:
    import tensorflow as tf

    version = Path(taxi_run.report["pushed_to"])
    text = (version / "assets.extra" / FILES[0]).read_text()
    [body] = re.findall(r"^POST /v1/models/taxi:predict\n\n(.*?)\n```$", text, re.DOTALL | re.M)
    request: dict[str, Any] = json.loads(body)
    spec = DataSpec.model_validate_json((version / "assets.extra" / "data_spec.json").read_text())
    types = {"float": tf.float32, "int": tf.int64, "bytes": tf.string}
    [row] = request["instances"]
    inputs = {
        name: tf.constant([row.pop(name)], types[feature.dtype])
        for name, feature in raw_inputs(spec).items()
    }
    assert row == {}
    model = tf.saved_model.load(str(version))
    answer = model.signatures[request["signature_name"]](**inputs)
    [names] = re.findall(r"^### Answer\n\n(.*?)\n\n", text, re.DOTALL | re.M)
    outputs = [line.split(" | ")[0].strip("| ") for line in names.splitlines()[2:]]
    assert sorted(answer) == sorted(outputs)


@pytest.fixture(scope="module")
def refused(
    run_local: Command, small_table: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Result, tuple[str, ...]]:
    """A run whose model is not good enough, and the flags that made it."""
    flags = (
        "--data", str(small_table), "--label", "target", "--set", "training.steps=40",
        "--set", "evaluation.thresholds.auc.min=1.0",
        "--set", "evaluation.thresholds.log_loss.max=0",
    )  # fmt: skip
    result = run_local(tmp_path_factory.mktemp("refused") / "root", *flags)
    assert result.exit_code == 4, result.stdout + result.stderr
    return result, flags


def test_a_refused_model_has_both_pages(refused: tuple[Result, tuple[str, ...]]) -> None:
    result, _ = refused
    layout = Layout(result.root)
    shown = Page(layout.model_page.read_text())
    [verdict] = shown.all("p", **{"class": "verdict error"})
    assert verdict[1] == "Refused: not good enough. It was not pushed."
    assert "missed" in shown.all("table")[0][1]
    text = layout.card_page.with_suffix(".md").read_text()
    assert "This model was refused" in text
    assert not (result.root / "serving").exists()


def test_the_owner_s_words_rerun_the_card_and_nothing_before(
    refused: tuple[Result, tuple[str, ...]], run_local: Command
) -> None:
    first, flags = refused
    again = run_local(first.root, *flags)
    assert again.ran == set()
    said = run_local(first.root, *flags, "--set", "model_card.intended_use=To rank tumors.")
    assert said.ran == {"ModelCard", "Pusher"}
    assert "To rank tumors." in Layout(first.root).card_page.read_text()
    assert said.latest_ran("tumors") == {"ModelCard", "Pusher"}

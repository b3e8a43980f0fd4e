"""The page of the model says first what was decided, draws what there is, and escapes the rest."""

from __future__ import annotations

import itertools
import math
import re
from typing import Any

import pytest

from components.model_card.evaluated import Evaluation
from pipeline.report.model_charts import Interval, Series, intervals, xy
from pipeline.report.model_page import Model, model_page
from tests.unit.components.model_card.evaluation_cases import SLICES, evaluation
from tests.unit.pipeline.report_cases import Page

EVIL = "</svg><script>alert('a')</script>\x1b[31m"
HISTORY = {
    "curve": [{"step": step, "loss": 1 / step} for step in (50, 100, 150)],
    "evaluations": [
        {"step": step, "metrics": {"rows": 9, "loss": 0.5, "auc": 0.9}} for step in (50, 150)
    ],
}


def html(found: dict[str, Any] | None = None, **known: Any) -> str:
    model = {"name": "trips", "artifact": 7, "is_servable": True, "history": HISTORY, **known}
    return model_page(Evaluation.model_validate(found or evaluation()), Model(**model))


def page(found: dict[str, Any] | None = None, **known: Any) -> Page:
    return Page(html(found, **known))


def captioned(found: Page, caption: str) -> str:
    """The text of the one table with that caption."""
    [text] = [text for _, text in found.all("table") if text.startswith(caption)]
    return text


@pytest.mark.parametrize(
    ("found", "known", "says", "color"),
    [
        (evaluation(), {"pushed_to": "serving/trips/1"}, "pushed.", "good"),
        (evaluation(), {}, "Good enough and servable. It was not pushed.", ""),
        (evaluation(), {"is_servable": None}, "was not checked", ""),
        (evaluation(), {"is_servable": False, "servable_reason": "NaN"}, "cannot use it", "error"),
        (evaluation(blessed=False), {}, "Refused: not good enough", "error"),
    ],
)
def test_the_decision_comes_first(
    found: dict[str, Any], known: dict[str, Any], says: str, color: str
) -> None:
    shown = page(found, **known)
    [verdict] = [item for item in shown.all("p") if item[0].get("class", "").startswith("verdict")]
    assert says in verdict[1]
    assert verdict[0]["class"] == f"verdict {color}"
    texts = [text for _, text in shown.all("p")]
    assert found["decision"]["reason"] in texts
    if known.get("servable_reason"):
        assert known["servable_reason"] in texts


def test_every_bound_is_in_the_table_what_blocks_first() -> None:
    shown = page(evaluation(blessed=False))
    table = captioned(shown, "Every bound")
    order = [
        table.index(f" {verdict} ") for verdict in ("missed", "not shown", "not judged", "met")
    ]
    assert order == sorted(order)
    assert "auc payment_type=Cash missed worse by at most 0.01 0.95 0.9215 0.94 to 0.96" in table
    assert "at least 0.9025" in table


def test_what_the_model_was_refused_for_is_red() -> None:
    found = evaluation(blessed=False)
    assert {row["verdict"] for row in found["decision"]["rows"] if row.get("blocks")} == {"missed"}
    badges = {text: known["class"] for known, text in page(found).all("span") if "class" in known}
    assert badges["missed"] == "badge error"
    assert badges["not shown"] == "badge warn"
    found["decision"]["rows"][1]["blocks"] = True
    badges = {text: known["class"] for known, text in page(found).all("span") if "class" in known}
    assert badges["not shown"] == "badge error"


def test_what_the_baseline_did_is_told() -> None:
    assert "Compared with version 3, label stable, artifact 12. Version 3 is what" in " ".join(
        text for _, text in page().all("p")
    )
    missing = page(evaluation(has_baseline=False))
    told = " ".join(text for _, text in missing.all("p"))
    assert "Compared with nothing (none). No model has been pushed yet." in told
    assert "baseline" not in " ".join(text for _, text in missing.all("figcaption"))


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_metrics_have_values_intervals_and_changes(problem: str) -> None:
    found = evaluation(problem)
    shown = page(found)
    table = captioned(shown, "Over all rows of the eval split; intervals of 95 %")
    for name, metric in found["slices"][0]["metrics"].items():
        assert (name in table) == (":" not in name)
        if ":" not in name:
            sliced = captioned(shown, f"{name} of each slice")
            assert all(f"{part} " in sliced for part in ("all examples", *SLICES))
            assert f"{metric['change']['value']:.4g}" in sliced
    titles = [text for _, text in shown.all("title")]
    assert f"{next(iter(found['slices'][1]['metrics']))} of each slice" in " ".join(titles)


def test_each_problem_has_its_own_plots() -> None:
    titles = {
        problem: " ".join(text for _, text in page(evaluation(problem)).all("title"))
        for problem in ("binary", "multiclass", "regression")
    }
    assert "ROC" in titles["binary"]
    assert "Calibration" in titles["binary"]
    assert "Predicted and actual" in titles["regression"]
    assert "Errors" in titles["regression"]
    assert "ROC" not in titles["multiclass"] + titles["regression"]
    multiclass = page(evaluation("multiclass"))
    assert captioned(multiclass, "Each class against the rest").count("0.8 ") == 6
    assert "Candidate: rows of each class" in captioned(multiclass, "Candidate")
    pairs = [text for _, text in multiclass.all("caption") if text == "Confused most"]
    assert len(pairs) == 2


def test_both_models_are_drawn() -> None:
    shown = page()
    drawn = [known for known, _ in shown.all("g") if "data-series" in known]
    for tone in "01":
        assert sum(item["data-series"] == tone for item in drawn) >= 7
    alone = page(evaluation(has_baseline=False))
    drawn = [known for known, _ in alone.all("g", **{"class": "cloud"})]
    assert not drawn
    captions = [text for _, text in alone.all("figcaption")]
    assert "candidate baseline" not in captions


def test_the_confusion_of_the_baseline_is_beside() -> None:
    shown = page()
    assert len(shown.all("table", **{"class": "confusion"})) == 2
    [counts] = [
        text
        for _, text in shown.all("table", **{"class": "confusion"})
        if text.startswith("Candidate")
    ]
    confusion = evaluation()["plots"]["candidate"]["confusion"]["counts"]
    assert f"small_tip {confusion[0][0]} {confusion[0][1]}" in counts


def test_thresholds_are_a_table_without_the_script() -> None:
    shown = page()
    table = captioned(shown, "Rows by label and answer at each threshold")
    line = evaluation()["plots"]["candidate"]["thresholds"][50]
    precision = line["tp"] / (line["tp"] + line["fp"])
    assert f"0.5 {line['tp']} {line['fp']} {line['fn']} {line['tn']} {precision:.4f}" in table
    [form] = shown.all("form")
    assert "hidden" in form[0]
    assert not page(evaluation("regression")).all("form")


def test_columns_are_listed_by_what_they_matter() -> None:
    table = captioned(page(), "What shuffling a column costs")
    places = [table.index(name) for name in ("payment_type", "fare", "trip_miles")]
    assert places == sorted(places)
    assert "0.28 to 0.32" in table
    assert "Which columns matter" not in html(evaluation(importance=None))


def test_learning_curves_are_drawn_of_what_was_measured() -> None:
    headings = [text for _, text in page().all("h3")]
    assert headings[-2:] == ["loss", "auc"]
    assert "Learning curves" not in html(history={})


def test_what_is_not_a_number_is_said_and_not_drawn() -> None:
    found = evaluation()
    for part in found["slices"]:
        part["metrics"]["auc"] = {
            "candidate": {"value": None, "low": None, "high": None, "nan": True},
            "baseline": None,
            "change": None,
        }
    found["plots"]["candidate"] = {
        "roc": [[None, None]], "pr": [], "calibration": [[None, 0.5, 3]],
        "thresholds": [{"threshold": 0.0, "tp": 0, "fp": 0, "tn": 0, "fn": 0}],
    }  # fmt: skip
    del found["plots"]["baseline"]
    found["decision"]["rows"][0] |= {"candidate": None, "low": None, "high": None}
    shown = page(found)
    assert "auc NaN" in captioned(shown, "Over all rows")
    assert not [text for _, text in shown.all("title") if "ROC" in text]
    assert ">nan<" not in html(found).lower().replace(">nan</td>", "")


@pytest.mark.parametrize("text", [EVIL, '"><img src=x onerror="alert(1)">', "a & b", "{{ 7*7 }}"])
def test_foreign_text_stays_text(text: str) -> None:
    found = evaluation(
        blessed=False, classes=[text, "b"], slices=(f"{text}=1", text), features=(text, "fare"),
        baseline={"status": text, "label": text, "reason": text},
    )  # fmt: skip
    found["decision"]["reason"] = text
    history = {"curve": [], "evaluations": [{"step": 1, "metrics": {text: 0.5}}]}
    shown = page(found, name=text, is_servable=False, servable_reason=text, history=history)
    assert len(shown.all("script")) == 1
    assert not shown.all("img")
    assert shown.all("h1")[0][1] == f"Model of {text}"
    assert text in [value for _, value in shown.all("bdi")]
    assert not [key for _, known, _ in shown.elements for key in known if key.startswith("on")]


def test_the_page_loads_nothing_and_has_a_structure() -> None:
    for problem in ("binary", "multiclass", "regression"):
        shown = page(evaluation(problem), others=["model_card.html", "data.html"])
        for link in shown.links:
            assert link.startswith("data:,") or link in (
                "index.html", "model_card.html", "data.html",
            )  # fmt: skip
        [policy] = shown.all("meta", **{"http-equiv": "Content-Security-Policy"})
        assert policy[0]["content"].startswith("default-src 'none'")
        levels = [int(tag[1]) for tag, _, _ in shown.elements if re.fullmatch(r"h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
        assert len(shown.all("caption")) == len(shown.all("table"))
        ids = [found["id"] for _, found, _ in shown.elements if "id" in found]
        assert len(ids) == len(set(ids))
        for _, found, _ in shown.elements:
            assert found.get("aria-labelledby", ids[0]) in ids
        assert all(text for _, text in shown.all("svg", role="img"))


def test_a_large_evaluation_is_a_small_page() -> None:
    large = evaluation(
        slices=tuple(f"column={n}" for n in range(20)),
        features=tuple(f"feature_{n}" for n in range(40)),
    )
    assert len(html(large)) < 400_000
    classes = [f"class {n}" for n in range(60)]
    many = page(evaluation("multiclass", classes=classes))
    assert len(many.all("th", scope="col")) < 200
    assert "30 classes with fewer rows are left out." in [text for _, text in many.all("p")]


def test_a_chart_of_nothing_is_none() -> None:
    assert not xy([Series(points=[(math.nan, 1.0), (None, 2.0)])], title="t")
    nothing = Interval(value=None, low=None, high=None)
    assert not intervals([("a", nothing, None)], title="t")


def test_a_value_without_an_interval_is_a_dot() -> None:
    chart = intervals([("a", Interval(value=0.5, low=None, high=None), None)], title="t")
    shown = Page(f"<div>{chart}</div>")
    [_] = shown.all("g", **{"class": "dots", "data-series": "0"})
    # A dot is a line from a place to the same place.
    [place] = {found["d"] for found, _ in shown.all("path") if "L" in found.get("d", "")}
    start, _, end = place.removeprefix("M").partition(" L")
    assert start == end

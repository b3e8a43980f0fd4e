"""The card says what the model is, what it was made of, how good it is, and where it came from."""

from __future__ import annotations

import base64
import dataclasses
import io
import itertools
import json
import re

import pytest
from PIL import Image

from components.features import Feature
from components.model_card.card import NOT_STATED, card, title
from components.model_card.evaluated import Evaluation
from components.model_card.facts import Check, Facts
from components.model_card.page import card_page
from components.model_card.request import example_request
from components.model_card.settings import ModelCardSettings
from tests.unit.components.model_card.card_cases import facts, spec
from tests.unit.components.model_card.evaluation_cases import evaluation
from tests.unit.pipeline.report_cases import Page

EVIL = "<script>alert('x')</script> | ![i](http://example.invalid/i.png)"


def sections(markdown: str) -> dict[str, str]:
    """The text below each heading of the second level; that of the first has an empty name."""
    parts = re.split(r"^## (.*)$", markdown, flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def judged(problem: str = "binary", **changes: object) -> Evaluation:
    return Evaluation.model_validate(evaluation(problem, **changes))


def test_what_the_owner_does_not_say_is_not_stated() -> None:
    found = sections(card(facts()))
    for heading in ("Intended use", "Out of scope", "License", "Contact"):
        assert found[heading].strip() == NOT_STATED
    assert found["Limits"].strip().startswith(NOT_STATED)


def test_what_the_owner_says_is_there() -> None:
    owner = ModelCardSettings(
        title="Tips", intended_use="To rank trips.", out_of_scope="Pay.", limits="Chicago only.",
        contact="the data team", license="Apache-2.0",
    )  # fmt: skip
    written = card(facts(owner=owner))
    found = sections(written)
    assert title(facts(owner=owner)) == "Tips"
    assert written.startswith("# Tips\n")
    assert NOT_STATED not in written
    for heading, text in (
        ("Intended use", "To rank trips."), ("Out of scope", "Pay."), ("Limits", "Chicago only."),
        ("Contact", "the data team"), ("License", "Apache-2.0"),
    ):  # fmt: skip
        assert text in found[heading]


@pytest.mark.parametrize(
    ("problem", "says"),
    [("binary", "small_tip and big_tip"), ("multiclass", "a, b, c"), ("regression", "fare")],
)
def test_it_says_what_is_predicted(problem: str, says: str) -> None:
    assert says in sections(card(facts(problem)))[""]


def test_the_data_is_told() -> None:
    found = sections(card(facts()))["Data"]
    assert "1,200 train, 400 eval" in found
    assert "ab" * 32 in found
    assert "3 to 5" in found
    assert "| trip_miles | numeric | number | 0 to 9 | - | 25 |" in found
    assert "| driver | not used |" in found
    assert "| small_tip | 50 | 57.5 |" in found


def test_the_balance_of_a_label_that_is_derived_is_that_of_the_evaluation() -> None:
    known = spec()
    derived = known.label.model_copy(update={"ratio_to": "trip_miles", "above": 0.2})
    found = card(facts(spec=known.model_copy(update={"label": derived})))
    assert "tips > 0.2 x trip_miles" in found
    assert "| class | eval, % |" in found


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_metrics_have_their_intervals_and_the_baseline(problem: str) -> None:
    found = sections(card(facts(problem)))["Evaluation"]
    [metric, *_] = judged(problem).metrics
    value = judged(problem).slices[0].metrics[metric]
    assert value.baseline is not None
    line = next(row for row in found.splitlines() if row.startswith(f"| {metric} |"))
    assert f"{value.candidate.value:.4g}" in line
    assert "version 3" in found
    assert "label stable" in found
    assert f"### Metric {metric} by slice" in found
    assert "| payment\\_type=Cash" not in found
    assert "| payment_type=Cash | 200 |" in found


def test_a_refused_model_has_a_card_that_says_so() -> None:
    refused = sections(card(facts(evaluation=judged(blessed=False))))
    assert "This model was refused" in refused[""]
    assert "missed" in refused["Evaluation"]
    assert "auc on payment_type=Cash: missed: It is worse by 0.05." in refused["Limits"]
    unservable = facts(check=Check(is_blessed=False, reason="It does not load."))
    assert "This model was refused" in sections(card(unservable))[""]
    assert "It does not load." in card(unservable)
    assert "refused" not in card(facts())


def test_a_metric_that_is_no_number_is_told() -> None:
    broken = evaluation()
    broken["slices"][0]["metrics"]["auc"]["candidate"] = {"value": None, "nan": True}
    found = card(facts(evaluation=Evaluation.model_validate(broken)))
    assert "| auc | NaN |" in found


def test_lineage_names_run_code_libraries_and_artifacts() -> None:
    found = sections(card(facts()))["Lineage"]
    for text in ("taxi-20260101-000000-ab12", "cd" * 32, "| tfx | 1.21.0 |", "ee" * 32, "| 7 |"):
        assert text in found


def test_the_same_facts_give_the_same_bytes() -> None:
    one, other = card(facts()), card(facts())
    assert one == other
    assert card_page(one, title="t") == card_page(other, title="t")
    assert card(facts(name="other")) != one


def test_the_example_asks_for_every_input_and_shows_nobody() -> None:
    body = json.loads(example_request(facts()))
    assert body == {
        "signature_name": "serving_raw",
        "instances": [{"trip_miles": 1.5, "hour": 12, "payment_type": "Card"}],
    }
    known = facts()
    lonely = [
        dataclasses.replace(column, counts={"Ada Lovelace": 1, "Bob": 1})
        for column in known.data.columns
    ]
    alone = facts(data=dataclasses.replace(known.data, columns=tuple(lonely)))
    assert json.loads(example_request(alone))["instances"][0]["payment_type"] == ""


def test_images_series_and_texts_have_examples() -> None:
    features = (
        Feature(name="photo", kind="image", dtype="bytes", height=8, width=8, channels=1),
        Feature(name="note", kind="text", dtype="bytes", length=5),
        Feature(name="wave", kind="series", dtype="float", length=9),
    )
    known = facts(spec=spec().model_copy(update={"features": features}))
    [row] = json.loads(example_request(known))["instances"]
    picture = Image.open(io.BytesIO(base64.b64decode(row["photo"]["b64"])))
    assert picture.size == (1, 1)
    assert row["note"] == ""
    assert row["wave"] == [0.0, 0.0, 0.0]
    assert "float32 (N, any length)" in card(known)


def hostile() -> Facts:
    known = facts(
        owner=ModelCardSettings(title=EVIL, intended_use=EVIL, contact="[me](javascript:1)"),
        evaluation=judged(
            classes=[EVIL, "b"], slices=(f"a={EVIL}",), features=(EVIL,),
            baseline={"status": "none", "reason": EVIL},
        ),
    )  # fmt: skip
    columns = [dataclasses.replace(column, name=EVIL) for column in known.data.columns[:1]]
    return dataclasses.replace(known, data=dataclasses.replace(known.data, columns=tuple(columns)))


def test_foreign_text_stays_text_on_the_page() -> None:
    known = hostile()
    page = Page(card_page(card(known), title=title(known)))
    assert not page.all("script")
    assert not page.all("img")
    assert not page.all("a")
    assert [link for link in page.links if link != "data:,"] == []
    [heading] = page.all("h1")
    assert heading[1] == EVIL
    assert EVIL in [text for _, text in page.all("td")]


def test_the_page_shows_markup_that_is_not_the_card_s_as_text() -> None:
    markdown = "# t\n\n<b>a</b>\n\n[a](http://b.invalid) ![c](http://d.invalid/e.png)"
    page = Page(card_page(markdown, title="t"))
    assert not page.all("b")
    assert not page.all("a")
    assert not page.all("img")


def test_the_page_is_well_made_and_loads_nothing() -> None:
    page = Page(card_page(card(facts("multiclass")), title="Card"))
    [policy] = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy[0]["content"].startswith("default-src 'none'")
    assert "script-src" not in policy[0]["content"]
    levels = [int(tag[1]) for tag, _, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert len(page.all("div", role="region")) == len(page.all("table")) > 5

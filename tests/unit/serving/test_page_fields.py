"""The form of a model: what each column becomes, and the real rows that fill it."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from serving.server.page import fields
from serving.server.page.views import _render
from serving.server.servable import Servable
from serving.signatures import Signature, TensorRef
from tests.contract import served_models
from tests.contract.served_models import PNG

FLOAT, STRING, INT, BOOL = 1, 7, 9, 10


@dataclasses.dataclass
class Loaded:
    """As much of a loaded version as the form looks at."""

    path: Path
    signatures: Mapping[str, Signature]


def form_of(path: Path, name: str, inputs: Mapping[str, TensorRef]) -> fields.Form:
    return fields.build(cast(Servable, Loaded(path, {name: Signature(inputs, {})})))


def ref(dtype: int, *shape: int) -> TensorRef:
    return TensorRef("x:0", dtype, (-1, *shape))


RAW = {
    "fare": ref(FLOAT),
    "num_stops": ref(INT),
    "payment": ref(STRING),
    "weekday": ref(INT),
    "shared": ref(STRING),
    "begin": ref(INT),
    "note": ref(STRING),
    "speeds": ref(FLOAT, -1),
    "photo": ref(STRING),
}


@pytest.fixture(scope="module")
def form(tmp_path_factory: pytest.TempPathFactory) -> fields.Form:
    serving = served_models.serving_folder(tmp_path_factory.getbasetemp())
    return form_of(serving / "trips" / "1", "serving_raw", RAW)


def test_each_kind_of_column_has_its_field(form: fields.Form) -> None:
    assert {field.label: field.widget for field in form.fields} == {
        "fare": "number",
        "num stops": "number",
        "payment": "choice",
        "weekday": "choice",
        "shared": "boolean",
        "begin": "time",
        "note": "text",
        "speeds": "list",
        "photo": "image",
    }
    assert form.fields[1].input == "num_stops"
    assert form.predicts == "tip"


def test_categories_and_ranges_come_from_the_model_and_its_real_rows(form: fields.Form) -> None:
    by_label = {field.label: field for field in form.fields}
    assert by_label["payment"].options == ("Cash", "<b>Credit</b> 'Card'")
    assert by_label["weekday"].options == ("2", "6", "10")
    assert by_label["fare"].hint == "-40 to 12.5 in 2 real rows"
    assert by_label["begin"].unit == "s"


def test_real_rows_are_shown_as_a_person_writes_them(form: fields.Form) -> None:
    first, second = form.examples
    assert first == {
        "fare": "12.5",
        "num_stops": "3",
        "payment": "Cash",
        "weekday": "6",
        "shared": "yes",
        "begin": "1400269500",
        "note": "no änswer",
        "speeds": "1.5 2.5",
        "photo": f"data:image/png;base64,{base64.b64encode(PNG).decode()}",
    }
    assert (second["num_stops"], second["note"], second["photo"]) == ("", "", "")
    assert second["speeds"] == "3"


def test_a_foreign_model_gets_a_field_an_input(tmp_path: Path) -> None:
    found = form_of(
        tmp_path,
        "serving_default",
        {
            "a": ref(FLOAT),
            "b": ref(INT, 3),
            "c": ref(BOOL),
            "d": ref(STRING),
            "e": ref(FLOAT, 2, 2),
        },
    )
    widgets = {field.input: field.widget for field in found.fields}
    assert widgets == {"a": "number", "b": "list", "c": "boolean", "d": "line", "e": "json"}
    assert found.examples == ()


def test_what_no_form_can_hold_is_said(tmp_path: Path) -> None:
    assert "no form" in form_of(tmp_path, "serving_default", {"a": ref(8)}).problem
    assert "no signature" in form_of(tmp_path, "other", {}).problem
    damaged = tmp_path / "damaged"
    (damaged / "assets.extra").mkdir(parents=True)
    (damaged / "assets.extra" / "data_spec.json").write_text("{")
    assert "is damaged" in form_of(damaged, "serving_raw", RAW).problem


def test_foreign_text_stays_text() -> None:
    evil = "</script><script>alert(1)</script>"
    field = fields.Field(
        input=evil, label=evil, kind="", dtype="bytes", widget="choice", options=(evil,), hint=evil
    )
    made: dict[str, Any] = {
        "models": [evil],
        "model": evil,
        "form": fields.Form(
            signature=evil, fields=(field,), examples=({evil: evil},), predicts=evil
        ),
        "version": 1,
        "problem": evil,
        "rows": [],
        "labels": {},
    }
    target = type("Target", (), {"label": evil, "version": None})()
    html = _render("content.html", **{**made, "target": target})
    assert "<script>alert" not in html
    assert "</script><script>" not in html


def test_the_shell_tells_nothing_of_a_model() -> None:
    html = _render("index.html", wants_token=True, form=None)
    assert "Token" in html
    assert "trips" not in html

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

from components.training.history import Evaluation, History, Point
from components.training.settings import TrainingSettings
from components.training.watching.page import training_page
from components.training.watching.parameters import as_markdown, hyper_parameters
from components.training.watching.record import write_record

HISTORY = History(
    curve=[Point(step=50, loss=0.5, learning_rate=0.1, examples_per_s=2000.0, elapsed_s=12.5)],
    evaluations=[Evaluation(step=50, metrics={"rows": 1200, "auc": 0.9123}, took_s=0.25)],
)
PNG = b"\x89PNG of a picture"
VOID = {"meta", "img", "br"}


class Reader(HTMLParser):
    """Fails where an element is not closed; keeps the text and all addresses."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.addresses: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self._open.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f"{data} "


def page(title: str = "taxi") -> str:
    return training_page(
        HISTORY,
        {"learning_curve": PNG, "roc": PNG},
        title=title,
        metrics={"auc": 0.91234, "rows": 1200},
        settings={"optimizer.learning_rate": 0.1},
        placement={"device": "CPU, 2 cores"},
    )


def test_the_page_shows_numbers_settings_and_where_it_ran() -> None:
    text = Reader(page()).text
    for part in ("50 steps", "12.5 s", "2,000 examples/s", "0.9123", "1,200", "CPU, 2 cores"):
        assert part in text
    assert "optimizer.learning_rate" in text


def test_the_pictures_are_inside_and_nothing_is_loaded() -> None:
    reader = Reader(page())
    assert len(reader.addresses) == 2
    for address in reader.addresses:
        assert base64.b64decode(address.removeprefix("data:image/png;base64,")) == PNG
    assert not re.search(r"https?://|url\(|@import|<script|<link", page())


def test_what_comes_from_data_cannot_become_markup() -> None:
    nasty = "<script>alert('x')</script>&"
    assert nasty in Reader(page(nasty)).text
    assert "<script" not in page(nasty)


def test_a_training_without_steps_has_a_page() -> None:
    empty = training_page(History(), {}, title="taxi", metrics={}, settings={}, placement={})
    assert "No steps were made." in Reader(empty).text


def test_the_record_is_history_pictures_and_page(tmp_path: Path) -> None:
    folder = tmp_path / "model_run" / "7"
    write_record(
        folder,
        HISTORY,
        {"roc": PNG},
        title="taxi",
        metrics={"auc": 0.9},
        settings={},
        placement={},
    )
    assert sorted(path.name for path in folder.iterdir()) == [
        "history.json",
        "roc.png",
        "training.html",
    ]
    assert History.model_validate_json((folder / "history.json").read_text()) == HISTORY
    assert (folder / "roc.png").read_bytes() == PNG


def test_what_was_not_measured_is_not_in_the_history() -> None:
    point = History(curve=[Point(step=1, loss=0.5, learning_rate=0.1)]).model_dump()["curve"][0]
    assert point == {"step": 1, "loss": 0.5, "learning_rate": 0.1}


def test_hyper_parameters_are_flat_and_keep_addresses_to_themselves() -> None:
    settings = TrainingSettings.model_validate(
        {
            "seed": 7,
            "optimizer": {"learning_rate": 0.5},
            "watch": {"mlflow": {"uri": "http://me:hidden@host"}},
        }
    )
    found = hyper_parameters(settings)
    assert (found["seed"], found["optimizer.learning_rate"]) == (7, 0.5)
    assert all(isinstance(value, bool | int | float | str) for value in found.values())
    assert not any("hidden" in str(value) for value in found.values())


def test_a_table_of_settings_survives_their_signs() -> None:
    assert as_markdown({"a": "x|y\nz"}).splitlines()[-1] == "| `a` | x\\|y z |"

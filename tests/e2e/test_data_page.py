"""The report of real runs: the page of the data, the page of the run, and `--open`."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.layout import Layout
from tests.command import Command, Result
from tests.unit.pipeline.report_cases import Page

UP_TO_THE_GATE = ("--to", "DataGate")


def page(result: Result) -> Page:
    return Page(Layout(result.root).data_page.read_text())


@pytest.fixture
def tumors(small_table: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes a part of the small table, with its numbers moved, or without a label's values."""

    def write(name: str, *, factor: float = 1.0, without: str = "") -> Path:
        header, *rows = small_table.read_text().splitlines()
        names = header.split(",")
        lines = [",".join(column for column in names if column != without)]
        for row in rows:
            cells = dict(zip(names, row.split(","), strict=True))
            cells["mean radius"] = str(float(cells["mean radius"]) * factor)
            cells.pop(without, None)
            lines.append(",".join(cells.values()))
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A browser that writes down what it was asked to open; gives the file's path."""
    opened, script = tmp_path / "opened", tmp_path / "browser"
    script.write_text(f'#!/bin/sh\nprintf %s "$1" > "{opened}"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("BROWSER", f"{script} %s")
    return opened


def test_a_run_leaves_its_data_on_a_page(taxi_run: Result) -> None:
    found = page(taxi_run)
    names = [row["data-name"] for row, _ in found.all("tr") if "data-name" in row]
    assert len(names) == 18
    assert "9,911 rows, train" in " ".join(text for _, text in found.all("li"))
    assert "The gate accepted this data." in [text for _, text in found.all("p")]
    kind, text = found.section("fare")
    assert kind["class"].strip() == "column"
    assert "0 175.05" not in text
    assert "maximum 175.05" in text
    assert "Cash 65.7 %" in found.section("payment_type")[1]


def test_the_first_page_leads_to_the_others(taxi_run: Result) -> None:
    folder = Layout(taxi_run.root).report.parent
    first = Page((folder / "index.html").read_text())
    pages = {"data.html", "training.html", "model.html", "model_card.html", "run.html"}
    assert set(first.links) == {*pages, "run.json", "data:,"}
    for link in first.links[1:]:
        assert (folder / link).is_file()
    assert "pushed" in [text for _, text in first.all("p")]
    assert taxi_run.report["run"] in [text for _, text in first.all("p")]
    assert "report/index.html" in taxi_run.stdout


def test_the_page_follows_what_the_gate_says(
    run_local: Command, tumors: Callable[..., Path], tmp_path: Path, browser: Path
) -> None:
    root, schema = tmp_path / "root", tmp_path / "schema.pbtxt"

    def run(data: Path, *flags: str) -> Result:
        asked = ["--data", str(data), "--label", "target", "--set", "name=tumors"]
        if schema.exists():
            asked += ["--set", f"validation.schema_path={schema}"]
        return run_local(root, *asked, *UP_TO_THE_GATE, *flags)

    first = run(tumors("first.csv"))
    assert first.exit_code == 0, first.stderr
    assert not browser.exists()
    assert "last accepted" not in page(first).all("main")[0][1]
    written = Layout(root).data_page.stat().st_mtime_ns

    again = run(tumors("first.csv"))
    assert "nothing to do" in again.stdout
    assert Layout(root).data_page.stat().st_mtime_ns == written

    moved = run(tumors("second.csv", factor=3.0), "--open")
    assert moved.exit_code == 0, moved.stderr
    assert browser.read_text() == Layout(root).index_page.as_uri()
    browser.unlink()
    row = page(moved).all("tr", **{"data-name": "mean radius"})[0][1]
    assert float(row.split()[-1]) > 0.8, "as far from the accepted data as it was moved"
    assert "last accepted" in page(moved).section("mean radius")[1]

    inferred = next(root.glob("artifacts/*/SchemaGen/schema/*/schema.pbtxt"))
    schema.write_text(inferred.read_text())
    refused = run(tumors("third.csv", without="mean area"), "--open")
    assert refused.exit_code == 3, refused.stderr
    assert "report/data.html" in refused.stderr
    assert browser.read_text() == Layout(root).index_page.as_uri()
    found = page(refused)
    assert "The gate refused this data" in found.all("main")[0][1]
    kind, text = found.section("mean area")
    assert kind["class"] == "column error"
    assert "missing_column" in text
    assert "last accepted" in text, "what the column was like is seen where it is gone"


def test_a_run_that_reads_no_data_leaves_no_page_of_other_data(
    run_local: Command, tumors: Callable[..., Path], tmp_path: Path
) -> None:
    root, data = tmp_path / "root", tumors("first.csv")
    flags = ("--data", str(data), "--label", "target")
    assert run_local(root, *flags, *UP_TO_THE_GATE).exit_code == 0
    assert Layout(root).data_page.is_file()
    # ExampleGen of the other data is not even asked for.
    result = run_local(root, *flags, "--set", "name=other", "--to", "ExampleGen")
    assert result.exit_code == 0, result.stderr
    assert not Layout(root).data_page.exists()
    first = Page(Layout(root).index_page.read_text())
    assert "data.html" not in first.links


def test_without_a_browser_the_place_is_said(
    run_local: Command, tumors: Callable[..., Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("BROWSER", "/nowhere/browser %s")
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    data = tumors("first.csv")
    result = run_local(
        tmp_path / "root", "--data", str(data), "--label", "target", "--to", "ExampleGen", "--open"
    )
    assert result.exit_code == 0, result.stderr
    assert "no browser was found; open " in result.stderr
    assert "report/index.html" in result.stderr

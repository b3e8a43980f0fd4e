"""A graph is drawn alike in every format, and nothing in a store gets out of its box."""

from __future__ import annotations

import html.parser
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.lineage.graph import drawing, selection
from pipeline.lineage.graph.dot import to_dot
from pipeline.lineage.graph.drawing import Arrow, Box, Drawing
from pipeline.lineage.graph.layout import place
from pipeline.lineage.graph.mermaid import to_mermaid
from pipeline.lineage.graph.page import to_page
from pipeline.lineage.graph.svg import to_svg
from pipeline.lineage.graph.tree import to_text
from pipeline.lineage.models import Graph
from tests.unit.pipeline.lineage.hostile import HOSTILE, hostile_graph
from tests.unit.pipeline.lineage.written_store import WrittenStore

_SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    """Of a run whose ExampleGen was cached."""
    written = WrittenStore(tmp_path_factory.mktemp("graph"))
    first = written.run("first", ["ExampleGen"])
    written.cached("second", "ExampleGen", first["ExampleGen"])
    model = written.node("second", "Trainer", inputs=[first["ExampleGen"]])
    written.node("second", "Evaluator", inputs=[model], of_artifact={"blessed": 0})
    run = written.reader.run("second")
    assert run is not None
    return selection.of_runs(written.reader, [run])


@pytest.fixture(scope="module")
def drawn(graph: Graph) -> Drawing:
    return drawing.draw(graph, "Lineage of second")


@pytest.fixture(scope="module")
def hostile() -> Drawing:
    return drawing.draw(hostile_graph(), HOSTILE[0])


def titles(drawn: Drawing) -> list[str]:
    return [re.sub(r" \d+$", "", box.title) for box in drawn.boxes.values()]


def test_a_run_is_drawn_with_states_and_verdicts(drawn: Drawing) -> None:
    assert titles(drawn) == [
        "ExampleGen", "Trainer", "Evaluator", "Examples", "Model", "ModelBlessing",
    ]  # fmt: skip
    notes = {box.title.split()[0]: box.notes for box in drawn.boxes.values()}
    assert notes["ExampleGen"] == ("cached",)
    assert notes["Trainer"][0].startswith("complete, 0.")
    assert notes["ModelBlessing"] == ("not blessed",)


def test_executions_alone_are_joined_directly(graph: Graph) -> None:
    drawn = drawing.draw(graph, "run", executions_only=True)
    assert titles(drawn) == ["ExampleGen", "Trainer", "Evaluator"]
    names = {box.id: box.title for box in drawn.boxes.values()}
    assert [(names[a.source], names[a.target]) for a in drawn.arrows] == [
        ("ExampleGen", "Trainer"),
        ("Trainer", "Evaluator"),
    ]


def test_the_tree_leads_down_or_up(drawn: Drawing) -> None:
    down, up = to_text(drawn), to_text(drawn, upstream=True)
    lines = [line.lstrip("│├└─ ").split()[0] for line in down.splitlines()]
    assert lines == [
        "Lineage", "ExampleGen", "Examples", "Trainer", "Model", "Evaluator", "ModelBlessing",
    ]  # fmt: skip
    assert [line.lstrip("│├└─ ").split()[0] for line in up.splitlines()][1:] == lines[:0:-1]


def test_the_tree_tells_a_box_once_and_ends_in_a_circle() -> None:
    boxes = {n: Box(id=n, title=n.upper(), notes=(), status="COMPLETE") for n in "abc"}
    circle = (Arrow("a", "b"), Arrow("b", "c"), Arrow("c", "a"), Arrow("a", "c"))
    shown = to_text(Drawing(title="circle", boxes=boxes, arrows=circle))
    assert [line.strip("│├└─ ") for line in shown.splitlines()] == [
        "circle", "A", "B", "C", "A  (see above)", "C  (see above)",
    ]  # fmt: skip


def test_a_cut_graph_says_so(graph: Graph) -> None:
    drawn = drawing.draw(
        Graph(executions=graph.executions, artifacts=graph.artifacts, is_cut=True), "part"
    )
    assert "there is more" in to_text(drawn)
    assert "a limit was reached" in to_page(drawn)


def test_boxes_do_not_overlap_and_arrows_lead_from_left_to_right(drawn: Drawing) -> None:
    layout = place(drawn)
    boxes = list(layout.places.values())
    for number, one in enumerate(boxes):
        assert one.x >= 0
        assert one.y >= 0
        assert one.x + one.width <= layout.width
        assert one.y + one.height <= layout.height
        for other in boxes[number + 1 :]:
            assert (
                one.x + one.width <= other.x
                or other.x + other.width <= one.x
                or one.y + one.height <= other.y
                or other.y + other.height <= one.y
            )
    for arrow, _ in layout.paths:
        source, target = layout.places[arrow.source], layout.places[arrow.target]
        assert source.x + source.width < target.x


def test_what_leads_round_in_a_circle_and_what_leads_nowhere_is_placed() -> None:
    boxes = {n: Box(id=n, title=n, notes=(), status="COMPLETE") for n in "abcd"}
    circle = (Arrow("a", "b"), Arrow("b", "c"), Arrow("c", "a"), Arrow("a", "a"))
    layout = place(Drawing(title="circle", boxes=boxes, arrows=circle))
    assert len(layout.places) == 4
    assert len(layout.paths) == 3


def test_nothing_at_all_is_drawn_as_nothing() -> None:
    empty = drawing.draw(Graph(), "nothing")
    assert ElementTree.fromstring(to_svg(empty)).tag == f"{_SVG}svg"
    assert "Nothing is recorded" in to_page(empty)
    assert to_text(empty).strip() == "nothing"
    assert to_mermaid(empty) == "flowchart LR\n"


def test_a_drawing_is_the_same_each_time(graph: Graph) -> None:
    svg = [to_svg(drawing.draw(graph, "run")) for _ in range(3)]
    assert svg[0] == svg[1] == svg[2]


def test_the_picture_has_every_box_and_arrow(drawn: Drawing) -> None:
    root = ElementTree.fromstring(to_svg(drawn))
    texts = {text.text for text in root.iter(f"{_SVG}text")}
    assert {box.title for box in drawn.boxes.values()} <= texts
    arrows = [path for path in root.iter(f"{_SVG}path") if path.get("class") == "arrow"]
    assert len(arrows) == len(drawn.arrows)


class _Page(html.parser.HTMLParser):
    """Collects the tags, the targets of links, and the ids of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: set[str] = set()
        self.ids: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        found = dict(attrs)
        self.links.add(str(found.get("href", "")))
        self.ids.add(str(found.get("id", "")))


def test_every_box_of_the_page_leads_to_its_details(drawn: Drawing) -> None:
    page = _Page(to_page(drawn))
    wanted = {f"#{box}" for box in drawn.boxes}
    assert wanted <= page.links
    assert set(drawn.boxes) <= page.ids
    assert page.links <= wanted | {""}


def test_hostile_text_is_text_in_a_page(hostile: Drawing) -> None:
    page = _Page(to_page(hostile))
    assert not page.tags & {"script", "img"}
    assert not {name for name in page.attributes if name.startswith("on")}
    assert all(link in {"", *(f"#{box}" for box in hostile.boxes)} for link in page.links)


def test_hostile_text_is_text_in_a_picture(hostile: Drawing) -> None:
    root = ElementTree.fromstring(to_svg(hostile))
    allowed = {"svg", "title", "style", "defs", "marker", "path", "rect", "g", "text", "a"}
    assert {element.tag.removeprefix(_SVG) for element in root.iter()} <= allowed
    assert any("<script>" in (text.text or "") for text in root.iter(f"{_SVG}text"))


@pytest.mark.parametrize("write", [to_text, to_mermaid, to_dot, to_svg, to_page])
def test_no_format_holds_an_active_character(
    hostile: Drawing, write: Callable[[Drawing], str]
) -> None:
    written = write(hostile)
    assert not re.findall("[\x00-\x08\x0b-\x1f\x7f\u2028\u202e\ud800]", written)
    written.encode("utf-8")


def test_hostile_text_stays_within_its_quotes_in_mermaid(hostile: Drawing) -> None:
    for line in to_mermaid(hostile).splitlines()[1:]:
        assert re.fullmatch(
            r"  (n_\w+(\[|\(\[)\"[^\"<>`\[\]{}%]*(<br/>[^\"<>`\[\]{}%]*)*\"(\]|\]\))(:::n_\w+)?"
            r"|n_\w+ -->(\|\"[^\"<>`\[\]{}%]*\"\|)? n_\w+"
            r"|classDef n_\w+ fill:#\w+,stroke:#\w+,color:#111111"
            r"|style n_\w+ stroke-width:3px)",
            line,
        ), line


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
@pytest.mark.parametrize("name", ["drawn", "hostile"])
def test_graphviz_reads_what_is_written(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    drawn: Drawing = request.getfixturevalue(name)
    source = tmp_path / "graph.dot"
    source.write_text(to_dot(drawn), encoding="utf-8")
    picture = subprocess.run(
        ["dot", "-Tsvg", str(source)], check=True, capture_output=True, text=True
    )
    assert picture.stderr == ""
    root = ElementTree.fromstring(picture.stdout)
    groups = [item.get("class") for item in root.iter(f"{_SVG}g")]
    assert groups.count("node") == len(drawn.boxes)
    assert groups.count("edge") == len(drawn.arrows)
    texts = [text.text for text in root.iter(f"{_SVG}text")]
    assert {box.title for box in drawn.boxes.values()} <= set(texts)

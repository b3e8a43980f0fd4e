from __future__ import annotations

import pytest

from components.errors import ConfigError
from pipeline.lineage.queries.search import Wanted, search
from pipeline.lineage.verbs.search import parse_terms
from tests.unit.pipeline.lineage.fake_reader import FakeReader


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        (["type=Model"], Wanted(kind="artifact", type="Model")),
        (["state=FAILED"], Wanted(kind="execution", state="FAILED")),
        (["node=Trainer", "x=1"], Wanted(kind="execution", node="Trainer", properties={"x": "1"})),
        (["kind=run", "pipeline=a"], Wanted(kind="run", pipeline="a")),
        (["reason=a=b"], Wanted(kind="artifact", properties={"reason": "a=b"})),
    ],
)
def test_terms_say_what_to_look_for(terms: list[str], expected: Wanted) -> None:
    assert parse_terms(terms) == expected


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        (["Model"], "expected KEY=VALUE"),
        (["=x"], "expected KEY=VALUE"),
        (["kind=artefact"], "Did you mean 'artifact'"),
        (["kind=artifact", "node=Trainer"], "only an execution has that"),
        (["since=soon"], "since= 'soon'"),
    ],
)
def test_terms_that_mean_nothing_are_one_clear_error(terms: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_terms(terms)


def test_a_search_stops_where_its_limit_is_reached() -> None:
    reader = FakeReader()
    for number in range(1, 6):
        [made] = reader.node("Trainer", writes=[("model", "Model")])
        reader.give(made, steps=number, done="yes" if number % 2 else "no")
    found = search(reader, Wanted(kind="artifact", properties={"done": "yes"}), limit=2)
    assert [item.id for item in found.items] == [5, 3]  # type: ignore[union-attr]
    assert found.has_more
    assert not search(reader, Wanted(kind="artifact", properties={"steps": "1"})).has_more
    assert search(reader, Wanted(kind="artifact", properties={"other": "*"})).items == ()

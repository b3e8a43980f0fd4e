"""A schema is edited where it must change, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.errors import ConfigError
from pipeline.schema import proto_text
from pipeline.schema.diff import diff
from pipeline.schema.edit import rewrite

TAXI = Path("schemas/taxi/schema.pbtxt").read_text()


def parsed(text: str) -> schema_pb2.Schema:
    return text_format.Parse(text, schema_pb2.Schema())


def feature(schema: schema_pb2.Schema, name: str) -> schema_pb2.Feature:
    [found] = [item for item in schema.feature if item.name == name]
    return found


def edited(change: Callable[[schema_pb2.Schema], object], text: str = TAXI) -> str:
    new = parsed(text)
    change(new)
    result = rewrite(text, new, "schema.pbtxt")
    assert parsed(result) == new
    return result


def lines_changed(before: str, after: str) -> tuple[list[str], list[str]]:
    import difflib

    changes = list(difflib.unified_diff(before.splitlines(), after.splitlines(), n=0))[2:]
    return (
        [line[1:] for line in changes if line.startswith("-")],
        [line[1:] for line in changes if line.startswith("+")],
    )


def test_nothing_changed_is_the_same_text() -> None:
    assert edited(lambda schema: None) == TAXI


def test_a_number_is_changed_in_its_place() -> None:
    after = edited(lambda s: setattr(feature(s, "trip_start_hour").int_domain, "max", 25))
    assert lines_changed(TAXI, after) == (
        ['  int_domain { name: "trip_start_hour" min: 0 max: 23 is_categorical: true }'],
        ['  int_domain { name: "trip_start_hour" min: 0 max: 25 is_categorical: true }'],
    )


def test_a_value_is_added_after_the_last_one() -> None:
    after = edited(lambda s: s.string_domain[0].value.append('A "new" one'))
    assert lines_changed(TAXI, after) == ([], ['  value: "A \\"new\\" one"'])
    assert after.index('value: "Unknown"') < after.index('A \\"new\\"')


def test_a_field_is_added_on_one_line_where_the_message_is_on_one() -> None:
    after = edited(lambda s: setattr(feature(s, "company").presence, "min_fraction", 0.5))
    assert "  presence { min_count: 1 min_fraction: 0.5 }" in after


def test_a_message_is_added_with_the_indent_of_its_neighbours() -> None:
    after = edited(
        lambda s: setattr(feature(s, "company").drift_comparator.infinity_norm, "threshold", 0.2)
    )
    removed, added = lines_changed(TAXI, after)
    assert removed == []
    assert added == ["  drift_comparator { infinity_norm { threshold: 0.2 } }"]


def test_a_removed_feature_takes_its_comment_along_and_no_other() -> None:
    def remove(schema: schema_pb2.Schema) -> None:
        schema.feature.remove(feature(schema, "company"))

    start = TAXI.index("# An open set")
    end = TAXI.index("feature {", TAXI.index('"company"'))
    assert edited(remove) == TAXI[:start] + TAXI[end:]


def test_a_new_feature_and_domain_are_appended_to_their_kind() -> None:
    def add(schema: schema_pb2.Schema) -> None:
        added = schema.feature.add(name="zone", type=schema_pb2.BYTES, domain="zone")
        added.presence.min_count = 1
        schema.string_domain.add(name="zone", value=["a", "b"])

    after = edited(add)
    assert after.index('name: "zone"') < after.index("string_domain {")
    assert after.endswith(TAXI[-60:])


def test_a_type_is_changed_by_name() -> None:
    def change(schema: schema_pb2.Schema) -> None:
        feature(schema, "fare").type = schema_pb2.BYTES
        feature(schema, "fare").ClearField("float_domain")

    removed, added = lines_changed(TAXI, edited(change))
    assert removed == ["  type: FLOAT", '  float_domain { name: "fare" min: 0.0 }']
    assert added == ["  type: BYTES"]


@pytest.mark.parametrize(
    "text",
    [
        'feature { name: "a" type: INT } # one line',
        "feature: <\n\tname: 'a'\n\ttype: INT\n>",
        'feature {\n  name: "a", type: INT;\n  presence {\n    # why\n    min_count: 1\n  }\n}\n',
        'feature { name: "a" type: 2 annotation { comment: "a # { no brace" } }',
        'feature{name:"a"type:INT}',
    ],
)
def test_every_way_to_write_a_feature_is_edited(text: str) -> None:
    after = edited(lambda s: setattr(feature(s, "a").presence, "min_fraction", 0.5), text)
    for comment in ("# one line", "# why", "a # { no brace"):
        assert (comment in after) == (comment in text)


def test_an_empty_file_gets_its_first_feature() -> None:
    header = "# The contract.\n"
    after = edited(lambda s: s.feature.add(name="a", type=schema_pb2.INT), header)
    assert "# The contract." in after


def test_a_form_that_cannot_be_edited_is_refused_and_named() -> None:
    text = 'string_domain { name: "a" value: ["x", "y"] }'
    with pytest.raises(ConfigError, match=r"schema\.pbtxt cannot be edited in place .*list in br"):
        edited(lambda s: s.string_domain[0].value.append("z"), text)


def test_positions_are_those_of_the_text() -> None:
    root = proto_text.parse(TAXI)
    for node in root.named("feature"):
        assert TAXI[node.start : node.end].startswith("feature {")
        assert TAXI[node.end - 1] == "}"
        [name] = node.named("name")
        assert TAXI[name.value_start] == TAXI[name.value_end - 1] == '"'


def test_differences_are_told_in_words() -> None:
    new = parsed(TAXI)
    new.string_domain[0].value.append("Barter")
    feature(new, "trip_seconds").presence.min_fraction = 0.5
    new.feature.remove(feature(new, "company"))
    new.feature.add(name="zone", type=schema_pb2.INT)
    changes = {(item.sign, item.feature, item.what): item for item in diff(parsed(TAXI), new)}
    assert changes["+", "payment_type", "domain"].after == "'Barter'"
    assert "0.99" in changes["~", "trip_seconds", "presence"].before
    assert "0.5" in changes["~", "trip_seconds", "presence"].after
    assert ("-", "company", "") in changes
    assert changes["+", "zone", ""].after == "INT"
    assert len(changes) == 4
    assert diff(new, new) == []

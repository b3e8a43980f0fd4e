"""The command, in its own process: what it prints, what it writes, its exit codes."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.ingestion import sources
from components.ingestion.settings import DataSettings
from tests.command import PROJECT

HEAVY = {"tensorflow", "tfx", "apache_beam", "tensorflow_data_validation"}
SCHEMA = "schemas/taxi/schema.pbtxt"
CODE = (
    "import sys\n"
    "from pipeline.schema.__main__ import main\n"
    "try:\n    code = main(sys.argv[1:])\n"
    "except SystemExit as error:\n    code = error.code\n"
    f"assert not {HEAVY!r} & sys.modules.keys(), sorted({HEAVY!r} & sys.modules.keys())\n"
    "sys.exit(code)\n"
)
Done = subprocess.CompletedProcess[str]


def schema(*args: str | Path) -> Done:
    """Runs the command, and fails if it imported anything heavy."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, *map(str, args)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture(scope="module")
def taxi() -> tuple[list[str], list[list[str]]]:
    with sources.resolve(DataSettings()).files[0].open(newline="") as file:
        header, *rows = list(csv.reader(file))
    return header, rows[:2000]


@pytest.fixture
def broken(tmp_path: Path, taxi: tuple[list[str], list[list[str]]]) -> Callable[..., Path]:
    """A copy of the taxi data with some cells replaced, or without a column."""

    def make(cells: dict[str, tuple[str, range]] | None = None, lost: str = "") -> Path:
        header, rows = taxi
        copy = [list(row) for row in rows]
        for name, (text, chosen) in (cells or {}).items():
            for row in chosen:
                copy[row][header.index(name)] = text
        keep = [index for index, name in enumerate(header) if name != lost]
        path = tmp_path / "trips.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerows([[row[index] for index in keep] for row in [header, *copy]])
        return path

    return make


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    copy = tmp_path / "schema.pbtxt"
    copy.write_text((PROJECT / SCHEMA).read_text())
    return copy


def findings(done: Done) -> dict[tuple[str, str], dict[str, Any]]:
    return {(f["feature"], f["rule"]): f for f in json.loads(done.stdout)["findings"]}


def test_the_taxi_data_keeps_its_contract() -> None:
    done = schema("check", "builtin:taxi", "--schema", SCHEMA, "--config", "taxi")
    assert done.returncode == 0, done.stdout
    assert "15,002 rows, 18 columns; 0 errors, 0 warnings" in done.stdout


def test_every_violation_is_listed_with_its_line_and_fix(broken: Callable[..., Path]) -> None:
    data = broken(
        {
            "payment_type": ("Shells", range(100, 200)),
            "fare": ("n/a", range(0, 3)),
            "trip_start_hour": ("25", range(500, 600)),
            "trip_miles": ("1e39", range(7, 8)),
            "trip_seconds": ("", range(1000, 1500)),
        }
    )
    done = schema("check", data, "--schema", SCHEMA)
    assert done.returncode == 3
    for text in (
        "error  payment_type  [out_of_domain]",
        "100 of 2,000 (5 %) values are not in the domain ('Cash', 'Credit Card',",
        "'Shells' in line 102 of trips.csv",
        "'n/a' in line 2 of trips.csv",
        "25 in line 502 of trips.csv",
        "1e+39 in line 9 of trips.csv",
        "the schema asks for one in at least 99 %",
        f"fix: Correct 'Shells' in 'payment_type' of {data}.",
    ):
        assert text in done.stdout
    found = findings(schema("check", data, "--schema", SCHEMA, "--json"))
    assert found["payment_type", "out_of_domain"]["count"] == 100
    assert found["fare", "wrong_type"]["examples"] == ["'n/a' in line 2 of trips.csv"]
    assert found["trip_seconds", "missing_values"]["severity"] == "error"


def test_lines_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    data = tmp_path / "notes.csv"
    data.write_text('note,n\n"two\nlines",1\n\n"a ""quoted"" one",2\nplain,999\n')
    contract = tmp_path / "s.pbtxt"
    contract.write_text(
        'feature { name: "n" type: INT int_domain { max: 9 } } feature { name: "note" type: BYTES }'
    )
    done = schema("check", data, "--schema", contract)
    assert "999 in line 6 of notes.csv" in done.stdout


def test_rows_of_several_files_are_named_by_file(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name, last in (("a.csv", 1), ("b.csv", 999)):
        (folder / name).write_text("n\n" + "1\n2\n" * 10 + f"{last}\n")
    contract = tmp_path / "s.pbtxt"
    contract.write_text('feature { name: "n" type: INT int_domain { max: 9 } }')
    done = schema("check", folder, "--schema", contract)
    assert "999 in line 22 of b.csv" in done.stdout


def test_the_configuration_decides_what_is_an_error(broken: Callable[..., Path]) -> None:
    data = broken({"payment_type": ("Shells", range(100, 200))})
    flags = ("--config", "taxi", "--set")
    rule = "validation.features.payment_type.out_of_domain=warn"
    done = schema("check", data, "--schema", SCHEMA, *flags, rule)
    assert done.returncode == 0
    assert "warning  payment_type  [out_of_domain]" in done.stdout


def test_tfrecord_is_checked_by_record(tmp_path: Path) -> None:
    contract = tmp_path / "s.pbtxt"
    assert schema("infer", "builtin:penguin", "--output", contract).returncode == 0
    assert schema("check", "builtin:penguin", "--schema", contract).returncode == 0
    text = contract.read_text()
    contract.write_text(text.replace("type: FLOAT", "type: FLOAT float_domain { max: 0.5 }", 1))
    done = schema("check", "builtin:penguin", "--schema", contract)
    assert done.returncode == 3
    assert "in record " in done.stdout


def test_update_writes_what_is_accepted_and_keeps_the_rest(
    broken: Callable[..., Path], contract: Path
) -> None:
    before = contract.read_text()
    cells = {"payment_type": ("Shells", range(100, 200)), "trip_start_hour": ("25", range(90))}
    data = broken(cells)
    done = schema("update", contract, "--from", data, "--accept", "payment_type:out_of_domain")
    assert done.returncode == 0, done.stderr
    assert "+ payment_type  domain: 'Shells'" in done.stdout
    after = contract.read_text()
    assert after.replace('  value: "Shells"\n', "") == before
    left = findings(schema("check", data, "--schema", contract, "--json"))
    assert ("payment_type", "out_of_domain") not in left
    assert ("trip_start_hour", "out_of_range") in left
    assert schema("update", contract, "--from", data, "--all").returncode == 0
    assert schema("check", data, "--schema", contract).returncode == 0
    assert after.count("#") == contract.read_text().count("#")


def test_update_removes_a_column_that_is_gone(broken: Callable[..., Path], contract: Path) -> None:
    done = schema("update", contract, "--from", broken(lost="company"), "--accept", "company")
    assert done.returncode == 0
    assert "- company: BYTES" in done.stdout
    assert "company" not in [
        item.name for item in text_format.Parse(contract.read_text(), schema_pb2.Schema()).feature
    ]


@pytest.mark.parametrize(
    ("accept", "says"),
    [
        ("payment_typ:out_of_domain", "Did you mean 'payment_type:out_of_domain'"),
        ("fare", "no schema can say nan. Set validation.features.fare.nan: warn"),
    ],
)
def test_update_refuses_what_was_not_found_or_no_schema_can_say(
    broken: Callable[..., Path], contract: Path, accept: str, says: str
) -> None:
    before = contract.read_text()
    data = broken({"payment_type": ("Shells", range(100, 200)), "fare": ("nan", range(90))})
    done = schema("update", contract, "--from", data, "--accept", accept)
    assert done.returncode == 2
    assert says in done.stderr
    assert contract.read_text() == before


def test_diff_tells_two_schemas_and_what_data_would_need(
    broken: Callable[..., Path], contract: Path
) -> None:
    assert schema("diff", SCHEMA, contract).returncode == 0
    data = broken({"payment_type": ("Shells", range(100, 200))})
    done = schema("diff", SCHEMA, data)
    assert done.returncode == 1
    assert done.stdout.strip() == "+ payment_type  domain: 'Shells'"
    [change] = json.loads(schema("diff", SCHEMA, data, "--json").stdout)
    assert change == {
        "sign": "+", "feature": "payment_type", "what": "domain", "before": "",
        "after": "'Shells'",
    }  # fmt: skip
    assert "needs no change" in schema("diff", SCHEMA, "builtin:taxi").stdout


def test_a_schema_is_inferred_without_a_label_and_never_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "new.pbtxt"
    assert schema("infer", "builtin:taxi", "--output", target).returncode == 0
    assert schema("check", "builtin:taxi", "--schema", target).returncode == 0
    again = schema("infer", "builtin:taxi", "--output", target)
    assert again.returncode == 2
    assert "is there already" in again.stderr


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("check", "nowhere.csv", "--schema", SCHEMA), "There is no"),
        (("check", "builtin:taxi", "--schema", "nowhere.pbtxt"), "nowhere.pbtxt cannot be read"),
        (("check", "builtin:taxi", "--schema", "README.md"), "is not a TensorFlow Metadata schema"),
        (("check", "builtin:taxi", "--schema", SCHEMA, "--delimiter", ";;"), "--delimiter"),
        (("update", SCHEMA, "--from", "builtin:taxi"), "--accept --all is required"),
    ],
)
def test_a_wrong_flag_is_told_and_exits_with_2(args: tuple[str, ...], says: str) -> None:
    done = schema(*args)
    assert done.returncode == 2
    assert says in done.stderr


def test_help_names_the_verbs_and_the_exit_codes() -> None:
    done = schema("--help")
    for text in ("infer", "check", "diff", "update", "exit codes"):
        assert text in done.stdout


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ("", 3),
        ('not_in_environment: "TRAINING"', 0),
        ("deprecated: true", 0),
        ("lifecycle_stage: PLANNED", 0),
    ],
)
def test_a_column_that_the_data_need_not_have_is_not_asked_for(
    tmp_path: Path, more: str, code: int
) -> None:
    (tmp_path / "n.csv").write_text("n\n" + "1\n2\n" * 20)
    contract = tmp_path / "s.pbtxt"
    contract.write_text(
        'feature { name: "n" type: INT }\n'
        f'feature {{ name: "asked" type: INT presence {{ min_count: 1 }} {more} }}\n'
        'default_environment: "TRAINING" default_environment: "SERVING"\n'
    )
    assert schema("check", tmp_path / "n.csv", "--schema", contract).returncode == code

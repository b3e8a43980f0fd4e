"""Bad tables, each beside a good twin: one clear error, nothing pushed, what was pushed stays."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.command import Command, Result

HEADER = ("radius", "texture", "site", "target")
FLAGS = ("--label", "target", "--set", "training.steps=20")
Files = dict[str, str | bytes]


def table(
    *, header: tuple[str, ...] = HEADER, delimiter: str = ",", rows: int = 60, **cells: object
) -> str:
    """A table that can be learned from; `cells` replaces `row_column` by a value."""
    lines = [delimiter.join(header)]
    for row in range(rows):
        values = {
            "radius": str(10 + row % 7),
            "texture": f"{row % 5}.5",
            "site": ("left", "right", "none")[row % 3],
            "target": ("benign", "malignant")[row % 2],
        }
        for name in values:
            values[name] = str(cells.get(f"at{row}_{name}", cells.get(f"all_{name}", values[name])))
        lines.append(delimiter.join(values[name] for name in HEADER))
    return "\n".join(lines) + "\n"


GOOD = table()


def line(number: int, text: str) -> str:
    """The good table with one line replaced."""
    lines = GOOD.splitlines()
    lines[number - 1] = text
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Case:
    """A bad table and its good twin, as files of a folder or one file `tumors.csv`.

    Attributes:
        bad: refused,
        code: with this exit code,
        says: and a message with all of these.
        good: accepted.
        flags: for both.
    """

    bad: str | bytes | Files
    code: int
    says: tuple[str, ...]
    good: str | bytes | Files = GOOD
    flags: tuple[str, ...] = ()


CASES: dict[str, Case] = {
    "empty": Case("", 3, ("tumors.csv is empty",)),
    "blank lines": Case("\n\n\n", 3, ("tumors.csv is empty",), "\n\n" + GOOD),
    "header only": Case("radius,texture,site,target\n", 3, ("no rows, only a header",)),
    "header without a line end": Case("radius,target", 3, ("no rows",), GOOD.rstrip("\n")),
    "nameless column": Case(line(1, "radius,,site,target"), 3, ("line 1", "column 2 of 4")),
    "all names missing": Case(line(1, ",,,"), 3, ("line 1",)),
    "name given twice": Case(line(1, "radius,radius,site,target"), 3, ("'radius'", "twice")),
    "label given twice": Case(line(1, "radius,target,site,target"), 3, ("'target'", "twice")),
    "too few fields": Case(line(7, "1,2,left"), 3, ("line 7", "3 fields", "'target'")),
    "one field": Case(line(9, "1"), 3, ("line 9", "1 fields")),
    "too many fields": Case(line(5, "1,2,left,benign,5"), 3, ("line 5", "5 fields")),
    "spaces for a row": Case(line(4, "   "), 3, ("line 4",)),
    "quote never closed": Case(line(6, '1,2,"left,benign'), 3, ("lines 6 to", "quote missing")),
    "quote in the header": Case(line(1, 'radius,"texture,site,target'), 3, ("header",)),
    "quoted line break is fine, open one is not": Case(
        line(6, '1,2,"le\nft'), 3, ("quote missing",), line(6, '1,2,"le\nft",benign')
    ),
    "not UTF-8": Case(
        GOOD.replace("left", "caf\xe9", 1).encode("latin-1"),
        3,
        ("'site'", "line 2", "0xe9", "not UTF-8"),
        GOOD.replace("left", "caf\xe9", 1).encode(),
    ),
    "header not UTF-8": Case(
        GOOD.replace("site", "s\xefte", 1).encode("latin-1"), 3, ("line 1", "UTF-8")
    ),
    "UTF-16 with its mark, and without": Case(
        GOOD.encode("utf-16-le"), 3, ("line 1",), b"\xef\xbb\xbf" + GOOD.encode()
    ),
    "another encoding, said and not": Case(
        GOOD.replace("left", "\u6771").encode("shift_jis"), 3, ("UTF-8",), GOOD
    ),
    "NUL byte": Case(GOOD.replace("left", "le\0ft", 1), 3, ("'site'", "line 2", "NUL")),
    "NUL in the header": Case(GOOD.replace("site", "si\0te", 1), 3, ("line 1", "NUL")),
    "semicolons": Case(table(delimiter=";"), 3, ("data.delimiter to ';'",)),
    "semicolons, said": Case(
        GOOD, 3, ("delimiter",), table(delimiter=";"), ("--set", "data.delimiter=;")
    ),
    "tabs": Case(table(delimiter="\t"), 3, ("data.delimiter",)),
    "bars": Case(table(delimiter="|"), 3, ("data.delimiter to '|'",)),
    "no such column": Case(
        GOOD.replace("target", "verdict", 1),
        2,
        ("'target' is not in", "radius, texture, site, verdict"),
    ),
    "label in other letters": Case(
        GOOD.replace("target", "Target", 1), 2, ("Did you mean 'Target'",)
    ),
    "label empty": Case(table(all_target=""), 3, ("'target'", "empty in all 60 rows")),
    "label mostly missing": Case(
        table(**{f"at{row}_target": "" for row in range(40)}),
        3,
        ("'target'", "empty in 40 of 60 rows"),
        table(at3_target=""),
    ),
    "label constant": Case(table(all_target="benign"), 3, ("'target'", "'benign' in every row")),
    "label constant number": Case(table(all_target="7"), 3, ("'7' in every row",)),
    "one row": Case("\n".join(GOOD.splitlines()[:2]) + "\n", 3, ("every row",)),
    "two files, one lacks a column": Case(
        {"1.csv": GOOD, "2.csv": "radius,texture,target\n1,2,benign\n"},
        3,
        ("2.csv", "'site'"),
        {"1.csv": GOOD, "2.csv": GOOD},
    ),
    "two files, one has one more": Case(
        {"1.csv": GOOD, "2.csv": "radius,texture,site,target,extra\n1,2,left,benign,1\n"},
        3,
        ("2.csv", "'extra'"),
        {"1.csv": GOOD, "2.csv": "target,site,texture,radius\nbenign,left,1.5,12\n"},
    ),
    "two files, one is empty": Case({"1.csv": GOOD, "2.csv": ""}, 3, ("2.csv is empty",)),
    "two files, one has text for bytes": Case(
        {"1.csv": GOOD, "2.csv": line(3, "1,2").encode()}, 3, ("2.csv", "line 3")
    ),
    "empty folder": Case({}, 2, ("tumors",), {"1.csv": GOOD}),
    "folder of other files": Case({"notes.txt": "hello\n"}, 2, ("tumors",), {"1.csv": GOOD}),
    "two kinds of files": Case({"1.csv": GOOD, "2.parquet": b"PAR1"}, 2, ("tumors",)),
    "damaged gzip": Case(
        {"1.csv.gz": gzip.compress(GOOD.encode())[:-12]},
        3,
        ("gzip",),
        {"1.csv.gz": gzip.compress(GOOD.encode())},
    ),
    "damaged Parquet": Case(
        {"1.parquet": b"PAR1" + b"\0" * 40}, 3, ("1.parquet",), {"1.csv": GOOD}
    ),
    "damaged TFRecord": Case(
        {"1.tfrecord": b"\x10" + b"\0" * 30}, 3, ("1.tfrecord",), {"1.csv": GOOD}
    ),
    "a weight that is none": Case(
        table(at4_radius="-1"),
        3,
        ("'radius'", "-1"),
        GOOD,
        ("--set", "label.weight=radius"),
    ),
    "a column to ignore that is not there": Case(
        GOOD,
        2,
        ("'sight'", "Did you mean 'site'"),
        GOOD.replace("site", "sight", 1),
        ("--set", "features={sight: ignore}"),
    ),
}


@pytest.fixture(scope="module")
def pushed(run_local: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with one pushed version of the pipeline `tumors`."""
    folder = tmp_path_factory.mktemp("bad_inputs")
    path = write(folder / "data", GOOD)
    result = run_local(folder / "root", "--data", str(path), *FLAGS, "--set", LENIENT)
    assert result.exit_code == 0, result.stdout + result.stderr
    return folder / "root"


# The table is made up: any model will do.
LENIENT = "evaluation.thresholds={auc: {min: 0}}"


def write(folder: Path, content: str | bytes | Files) -> Path:
    """Writes a table, or a folder of tables; the pipeline takes its name from it."""
    folder.mkdir()
    if isinstance(content, dict):
        folder = folder / "tumors"
        folder.mkdir()
        for name, part in content.items():
            (folder / name).write_bytes(part.encode() if isinstance(part, str) else part)
        return folder
    path = folder / "tumors.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_bad_table_is_refused_and_its_twin_is_not(
    run_local: Command, pushed: Path, tmp_path: Path, case: Case
) -> None:
    def run(folder: str, content: str | bytes | Files, *flags: str) -> Result:
        path = write(tmp_path / folder, content)
        return run_local(pushed, "--data", str(path), *FLAGS, *case.flags, *flags)

    refused = run("bad", case.bad)
    assert refused.exit_code == case.code, refused.stdout + refused.stderr
    for text in case.says:
        assert text in refused.stderr
    assert "Traceback" not in refused.stderr
    assert [path.name for path in pushed.glob("serving/tumors/*") if path.name.isdigit()] == ["1"]
    nodes = ("ExampleGen", "DataGate", "Trainer", "Pusher")
    states = {e.state for node in nodes for e in refused.executions("tumors", node)}
    assert not states & {"RUNNING", "NEW"}

    twin = run("good", case.good, "--dry-run")
    assert twin.exit_code == 0, twin.stdout + twin.stderr


def test_there_is_no_such_path(run_local: Command, pushed: Path, tmp_path: Path) -> None:
    refused = run_local(pushed, "--data", str(tmp_path / "nowhere.csv"), *FLAGS)
    assert refused.exit_code == 2
    assert "nowhere.csv" in refused.stderr

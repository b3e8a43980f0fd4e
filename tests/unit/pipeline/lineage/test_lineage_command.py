"""The command line: what it imports, how it ends, and that foreign text does nothing to it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.lineage import __main__ as command
from pipeline.lineage.verbs import VERBS
from tests.command import PROJECT
from tests.unit.pipeline.lineage.written_store import WrittenStore

_HOSTILE = "\x1b[31mred\x1b]0;t\x07<script>alert(1)</script>\u202e../../etc"
_HEAVY = ("tensorflow", "tfx", "apache_beam", "tensorflow_data_validation", "pandas", "numpy")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    written = WrittenStore(tmp_path)
    written.run("run-1", properties={"waybill_git": _HOSTILE})
    written.node("run-1", "Other", of_artifact={_HOSTILE: _HOSTILE})
    written.node("run-2", "Trainer", state=4, properties={"waybill_error": _HOSTILE})
    return tmp_path


Ask = Callable[..., str]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Asks a store; returns the answer, or the error where another exit code is expected."""
    monkeypatch.setenv("COLUMNS", "100")

    def asked(root: Path, *flags: str, code: int = 0) -> str:
        try:
            ended = command.main(["--store", str(root), *flags])
        except SystemExit as stop:
            ended = int(stop.code or 0)
        said = capsys.readouterr()
        assert ended == code, said.out + said.err
        return said.out if code == 0 else said.err

    return asked


def test_help_names_every_verb_and_imports_none_of_them() -> None:
    code = (
        "import sys\nfrom pipeline.lineage.__main__ import main\n"
        "try: main(['--help'])\nfinally: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert all(f"    {verb} " in done.stdout for verb in VERBS)
    loaded = set(done.stderr.split())
    assert not loaded & {"ml_metadata", "rich", "google.protobuf", *_HEAVY}
    assert not [name for name in loaded if name.startswith("pipeline.lineage.queries")]


def test_a_question_needs_nothing_heavy(root: Path) -> None:
    code = (
        "import sys\nfrom pipeline.lineage.__main__ import main\n"
        f"main(['--store', {str(root)!r}, 'trace', 'artifact:5'])\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert "ExampleGen" in done.stdout
    assert not set(done.stderr.split()) & set(_HEAVY)


def test_only_the_store_and_what_it_mends_import_ml_metadata() -> None:
    folder = PROJECT / "pipeline" / "lineage"
    importing = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _imported(node)
        if name.split(".")[0] == "ml_metadata"
    }
    assert importing == {"store.py", "backslashes.py", "ordering.py"}


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


@pytest.mark.parametrize(
    "flags",
    [
        ["runs"],
        ["show", "run-1"],
        ["show", "execution:6"],
        ["show", "artifact:6"],
        ["why", "run-2"],
        ["trace", "artifact:6"],
        ["impact", "artifact:1"],
        ["diff", "run-1", "run-2"],
        ["search", "kind=execution", "state=*"],
    ],
)
def test_foreign_text_does_nothing_to_the_terminal(ask: Ask, root: Path, flags: list[str]) -> None:
    said = ask(root, *flags)
    assert not [c for c in said if c != "\n" and (not c.isprintable() or c in "\x1b\x07\u202e")]


def test_foreign_text_is_shown_so_that_it_can_be_read(ask: Ask, root: Path) -> None:
    assert r"\x1b[31mred" in ask(root, "show", "artifact:6")
    assert r"\x1b[31mred" in ask(root, "why", "run-2")
    [found] = json.loads(ask(root, "search", "state=FAILED", "--json"))["found"]
    assert found["properties"]["waybill_error"] == _HOSTILE


def test_flags_count_before_and_after_the_verb(ask: Ask, root: Path) -> None:
    before = json.loads(ask(root, "--json", "runs", "--limit", "1"))
    assert json.loads(ask(root, "runs", "--limit", "1", "--json")) == before
    assert before["has_more"]


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (["show", "run-9"], 1, "Similar or recent runs: run-"),
        (["show", "artifact:x"], 2, "expected a number"),
        (["show", "run-"], 2, "2 runs begin so: run-2, run-1"),
        (["show", "live"], 1, "holds no pushed model"),
        (["runs", "--limit", "0"], 2, "not a whole number above 0"),
        (["runs", "--since", "soon"], 2, "expected a date"),
        (["search", "x"], 2, "KEY=VALUE"),
        (["--store", "mysql://u:s3cret@h/d", "runs"], 2, "must not be in the address"),
        (["nonsense"], 2, "invalid choice"),
    ],
)
def test_a_wrong_question_is_one_error_with_its_exit_code(
    ask: Ask, root: Path, flags: list[str], code: int, message: str
) -> None:
    said = ask(root, *flags, code=code)
    assert message in said
    assert "Traceback" not in said
    assert "s3cret" not in said


@pytest.mark.parametrize(
    "flags",
    [
        ["runs", "--pipeline", "other"],
        ["search", "type=Nothing"],
        ["impact", "artifact:5"],
    ],
)
def test_no_answer_is_exit_code_1(ask: Ask, root: Path, flags: list[str]) -> None:
    ask(root, *flags, code=1)


def test_an_output_that_is_closed_early_is_no_error(root: Path) -> None:
    line = f"{sys.executable} -m pipeline.lineage --store {root} search kind=artifact --json"
    done = subprocess.run(
        f"{line} --limit 1000 | head -c 1",
        shell=True,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""


def test_each_verb_can_be_asked_for_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in VERBS:
        with pytest.raises(SystemExit) as ended:
            command.main([verb, "--help"])
        assert ended.value.code == 0
        assert "--store" in capsys.readouterr().out

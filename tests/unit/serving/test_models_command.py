"""`python -m serving.models`, as a person and a program use it."""

from __future__ import annotations

import http.server
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import ml_metadata
import pytest
from ml_metadata.proto import metadata_store_pb2 as messages

from serving.labels import labels, live, read_config
from serving.models.__main__ import main
from serving.record import EXECUTION_TYPE
from serving.shelves import LocalShelf
from tests.unit.serving.shelf import push, write_model

METRICS = {"auc": 0.954431, "example_count": 5091.0}
ORIGIN = {"run": "taxi-1", "data": "d" * 64, "code": "c" * 64, "metrics": json.dumps(METRICS)}


class Serving:
    """A root with three pushed versions and a metadata store, and the command on it."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "serving"
        self.base = self.folder / "taxi"
        self.base.mkdir(parents=True)
        self.store = root / "metadata.db"
        self.store_of(self.store)
        model = write_model(root / "model")
        for key in "abc":
            push(
                LocalShelf(self.base),
                model,
                key,
                label="stable",
                metadata=str(self.store),
                **ORIGIN,
            )

    @staticmethod
    def store_of(path: Path) -> Any:
        config = messages.ConnectionConfig()
        config.sqlite.filename_uri = str(path)
        config.sqlite.connection_mode = messages.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        return ml_metadata.MetadataStore(config)

    def run(self, *args: str) -> int:
        return main([*args, "--serving", str(self.folder)])

    def recorded(self, store: Path | None = None) -> list[str]:
        found = self.store_of(store or self.store).get_executions_by_type(EXECUTION_TYPE)
        return [item.properties["action"].string_value for item in found]


@pytest.fixture
def serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serving:
    monkeypatch.setenv("COLUMNS", "160")
    return Serving(tmp_path / "root")


def test_list_shows_versions_with_labels_metrics_and_origin(
    serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    assert serving.run("list") == 0
    header, first, origin, *_, last, _ = capsys.readouterr().out.splitlines()[1:]
    assert header.split()[:4] == ["version", "labels", "loaded", "pushed"]
    assert first.split()[:3] == ["3", "stable", "yes"]
    assert first.rstrip().endswith("auc 0.95443")
    assert origin.strip() == f"taxi-1, data {'d' * 12}, code {'c' * 12}"
    assert last.split()[0] == "1"
    assert "stable" not in last


def test_json_holds_all_that_is_known(serving: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    assert serving.run("list", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["labels"] == {"stable": 3}
    assert [item["version"] for item in document["versions"]] == [1, 2, 3]
    newest = document["versions"][-1]
    assert newest["labels"] == ["stable"]
    assert newest["loaded"] is True
    assert newest["metrics"] == METRICS
    assert newest["properties"]["run"] == "taxi-1"


def test_show_tells_of_a_version_by_number_or_label(
    serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("3", "v3", "stable"):
        assert serving.run("show", name) == 0
        told = capsys.readouterr().out
        assert str(serving.base / "3") in told
        assert "example_count 5091" in told
        assert "push" in told.splitlines()[-1]
    assert serving.run("show", "3", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert {file["path"] for file in document["files"]} >= {"saved_model.pb", "empty"}
    assert [change["action"] for change in document["changes"]] == ["push"]


def test_show_without_a_version_tells_of_labels_and_their_history(
    serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    serving.run("rollback", "--reason", "tips [bold]fell[/bold] \x1b[31m")
    capsys.readouterr()
    assert serving.run("show") == 0
    told = capsys.readouterr().out
    assert told.startswith("stable  version 2\n")
    # The newest first, and what a person wrote as it is, without commands to the terminal.
    assert "tips [bold]fell[/bold] \N{REPLACEMENT CHARACTER}[31m" in told.splitlines()[2]
    assert serving.run("show", "--json") == 0
    assert json.loads(capsys.readouterr().out)["changes"][-1]["from_version"] == 3


def test_rollback_and_promotion_are_recorded(
    serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    assert serving.run("rollback", "--reason", "bad") == 0
    assert capsys.readouterr().out == "stable of taxi: version 3 → version 2\n"
    assert live(serving.base) == 2
    assert serving.run("promote", "v3", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["change"]["to_version"] == 3
    assert isinstance(told["recorded"], int)
    assert told["warning"] is None
    assert serving.run("label", "canary", "1") == 0
    assert serving.run("unlabel", "canary") == 0
    assert labels(serving.base) == {"stable": 3}
    assert serving.recorded() == ["rollback", "promote", "label", "unlabel"]


def test_version_that_was_rolled_back_is_unloaded_once_the_server_follows(
    serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    config = serving.folder / "models.config"

    class Follower(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            [model] = read_config(config).values()
            label = self.path.endswith("/labels/stable")
            version = model.labels["stable"] if label else int(self.path.rpartition("/")[2])
            seen.append((label, model.versions))
            self.send_response(200)
            self.end_headers()
            status = {"version": str(version), "state": "AVAILABLE"}
            self.wfile.write(json.dumps({"model_version_status": [status]}).encode())

        def log_message(self, *_: object) -> None:
            pass

    seen: list[tuple[bool, tuple[int, ...]]] = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Follower) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert serving.run("rollback", "--server", address) == 0
        server.shutdown()
    assert seen == [(False, (2, 3)), (True, (1, 2, 3))]
    assert read_config(config)["taxi"].versions == (1, 2)
    assert capsys.readouterr().err == ""
    assert serving.run("rollback") == 0
    assert "note: Version 2 stays loaded until the next change" in capsys.readouterr().err


def test_promotion_of_what_is_live_changes_nothing(
    serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    assert serving.run("promote", "stable") == 0
    assert capsys.readouterr().out == "stable of taxi is version 3 already\n"
    assert serving.recorded() == []


def test_rollback_is_done_without_the_store_and_says_so(
    serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    serving.store.unlink()
    assert serving.run("rollback") == 0
    assert live(serving.base) == 2
    error = capsys.readouterr().err.splitlines()[0]
    assert error.startswith("warning: The change is made, but not in the metadata store")
    assert str(serving.store) in error


def test_copied_root_keeps_its_own_record(serving: Serving, tmp_path: Path) -> None:
    copy = shutil.copytree(serving.base.parents[1], tmp_path / "copy")
    assert main(["rollback", "--serving", str(copy / "serving")]) == 0
    assert serving.recorded() == []
    assert serving.recorded(copy / "metadata.db") == ["rollback"]
    assert live(serving.base) == 3


def test_prune_says_what_would_go_and_removes_it(
    serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    assert serving.run("prune", "--keep", "1", "--dry-run") == 0
    assert capsys.readouterr().out == "would remove 1\n"
    assert (serving.base / "1").is_dir()
    assert serving.run("prune", "--keep", "1") == 0
    assert capsys.readouterr().out == "removed 1\n"
    assert not (serving.base / "1").exists()
    assert serving.run("prune", "--json") == 0
    assert json.loads(capsys.readouterr().out)["removed"] == []


def test_damage_is_found_and_kept_from_going_live(
    serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    assert serving.run("verify") == 0
    (serving.base / "2" / "saved_model.pb").write_text("x")
    capsys.readouterr()
    assert serving.run("verify") == 3
    assert "version 2: \n  " in capsys.readouterr().out
    assert serving.run("verify", "stable", "--json") == 0
    assert json.loads(capsys.readouterr().out)["problems"] == {"3": []}
    assert serving.run("rollback") == 3
    assert "error: Version 2 of taxi is not what was published" in capsys.readouterr().err
    assert live(serving.base) == 3


@pytest.mark.parametrize(
    ("args", "code", "expected"),
    [
        (["promote", "9"], 2, "taxi has no version 9. Versions: 1, 2, 3."),
        (["promote", "stabel"], 2, "is neither a version's number nor a label of taxi"),
        (["show", "../3"], 2, "is neither a version's number nor a label"),
        (["unlabel", "canary"], 2, "taxi has no label 'canary'. Labels: stable."),
        (["list", "--model", "taxis"], 2, "holds no model 'taxis'. Models: taxi. Did you mean"),
        (["list", "--model", "../taxi"], 2, "is no name of a model"),
        (["label", "a-b", "3"], 1, "'a-b' is no label"),
        (["promote", "2", "--server", "http://127.0.0.1:1"], 1, "has not loaded version 2"),
    ],
)
def test_what_is_wrong_is_one_line_with_the_remedy(
    serving: Serving,
    capsys: pytest.CaptureFixture[str],
    args: list[str],
    code: int,
    expected: str,
) -> None:
    assert serving.run(*args) == code
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert expected in error
    assert live(serving.base) == 3


def test_second_rollback_without_anything_before_is_refused(
    serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [serving.run("rollback") for _ in range(3)] == [0, 0, 1]
    assert "There is nothing to go back to" in capsys.readouterr().err


@pytest.mark.parametrize(
    "args",
    [["prune", "--keep", "0"], ["rollback", "--server", "here"], ["promote"], ["go"]],
)
def test_wrong_flag_is_a_usage_error(serving: Serving, args: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        serving.run(*args)
    assert caught.value.code == 2


def test_folder_without_models_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--serving", str(tmp_path / "none")]) == 2
    assert "There is no folder" in capsys.readouterr().err
    assert main(["list", "--serving", str(tmp_path)]) == 2
    assert "holds no model: push one" in capsys.readouterr().err


def test_one_of_several_models_must_be_named(
    serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    push(LocalShelf(serving.folder / "other"), serving.base / "1", "a")
    assert serving.run("list") == 2
    assert "holds several models: other, taxi. Name one with --model." in capsys.readouterr().err
    assert serving.run("rollback", "--model", "taxi") == 0
    assert labels(serving.folder / "other") == {"stable": 1}


def test_version_of_another_tool_is_listed_as_such(
    serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    (serving.base / "1700000000").mkdir()
    assert serving.run("list") == 0
    assert "it was not published by this tool" in capsys.readouterr().out
    assert serving.run("show", "1700000000") == 0
    assert "it was not published by this tool" in capsys.readouterr().out


def test_process_imports_no_tensorflow_and_no_tfx(serving: Serving) -> None:
    program = (
        "import sys; from serving.models.__main__ import main;"
        f"code = main(['rollback', '--serving', {str(serving.folder)!r}]);"
        "heavy = {'tensorflow', 'tfx', 'apache_beam', 'numpy', 'httpx'} & sys.modules.keys();"
        "sys.exit(code or (str(heavy) if heavy else 0))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert serving.recorded() == ["rollback"]

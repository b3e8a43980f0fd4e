"""The server's command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from serving.server.arguments import parse
from serving.server.engine import Engine
from serving.server.errors import SettingsError
from serving.server.settings import EngineSettings, ServerSettings

ROOT = Path(__file__).parents[3]


def test_without_flags_it_is_the_default_and_this_machine_alone() -> None:
    settings = parse([])
    assert settings == ServerSettings()
    assert settings.host == "127.0.0.1"
    assert settings.engine == EngineSettings()


def test_flags_become_settings(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc\n")
    flags = ["--model", "a=/x", "--canary", "a=canary:5", "--batch-wait-ms", "3"]
    flags += ["--max-body-mb", "2", "--log", "/log", "--log-redact", "name,,age"]
    settings = parse([*flags, "--token-file", str(tmp_path / "token")])
    assert settings.engine.models == ("a=/x",)
    assert settings.engine.canaries == {"a": "canary:5"}
    assert settings.engine.batch_wait_s == 0.003
    assert settings.engine.max_body_bytes == 2 << 20
    assert settings.engine.log.redact == ("name", "age")
    assert settings.token == "abc"
    assert "abc" not in repr(settings)


def test_the_token_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYBILL_SERVING_TOKEN", "abc")
    assert parse([]).token == "abc"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--canary", "taxi"], "not of the form MODEL=LABEL:PERCENT"),
        (["--canary", "a=b:1", "--canary", "a=b:2"], "once for a model"),
        (["--canary", "taxi=canary:500"], "with 0 to 100 percent"),
        (["--canary", "taxi=:5"], "expected MODEL=LABEL:PERCENT"),
        (["--canary", "taxi=canary"], "expected MODEL=LABEL:PERCENT"),
        (["--model", "taxi"], "not of the form NAME=FOLDER"),
        (["--model", "a/b=x"], "not of the form NAME=FOLDER"),
        (["--model", "a=x", "--model", "a=y"], "names 'a' twice"),
        (["--tls-cert", "none"], "--tls-cert and --tls-key go together"),
        (["--token-file", "none"], "--token-file none cannot be read"),
        (["--token-file", "/dev/null"], "/dev/null holds no token"),
    ],
)
def test_what_has_no_meaning_is_named(flags: list[str], expected: str) -> None:
    with pytest.raises(SettingsError, match=expected):
        Engine(parse(flags).engine)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--workers", "0"], "'0' is not a whole number above 0"),
        (["--threads", "128"], "'128' is not a whole number from 0 to 127"),
        (["--log-sample", "2"], "'2' is not a number from 0 to 1"),
        (["--log-sample", "nan"], "'nan' is not a number from 0 to 1"),
        (["--deadline", "0"], "'0' is not a number above 0"),
        (["--poll", "-1"], "'-1' is not a number of at least 0"),
        (["--rest-port", "65536"], "'65536' is not a port"),
    ],
)
def test_numbers_out_of_range_are_named(
    capsys: pytest.CaptureFixture[str], flags: list[str], expected: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(flags)
    assert caught.value.code == 2
    assert expected in capsys.readouterr().err


def test_help_needs_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from serving.server.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'uvicorn', 'grpc', 'google.protobuf', 'starlette', 'tensorflow'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)

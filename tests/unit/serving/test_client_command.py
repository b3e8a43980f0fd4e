"""`python -m serving.client` as a user runs it, against a running server."""

from __future__ import annotations

import csv
import io
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract import served_models
from tests.contract.served_models import PNG, probability
from tests.contract.servers import PROJECT, Server, running

ANSWERS = ["label", "probability", "scores:small", "scores:big"]
HEADER = "fare,num stops,payment,weekday,shared,begin,note,speeds,photo"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return served_models.serving_folder(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def server(serving: Path) -> Iterator[Server]:
    with running(serving) as server:
        yield server


@pytest.fixture(scope="module")
def trips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "trips.csv"
    rows = [f"{row / 10},{row},Cash,,yes,1400269500,a note,1 2," for row in range(500)]
    path.write_text("\n".join([HEADER, *rows, ",,,,,,,,"]) + "\n")
    return path


def call(*args: str | Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "serving.client", *map(str, args)],
        cwd=PROJECT,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def asked(server: Server, serving: Path) -> tuple[str, ...]:
    return ("--server", f"grpc://{server.grpc}", "--serving", str(serving), "--label", "stable")


def test_rest_and_grpc_answer_every_row_alike_and_in_order(
    server: Server, serving: Path, trips: Path, tmp_path: Path
) -> None:
    written = []
    for address in (f"grpc://{server.grpc}", server.rest):
        out = tmp_path / f"{address[:4]}.csv"
        found = call(
            *("predict", trips, "--server", address, "--serving", serving, "--version", "1"),
            *("--out", out, "--batch", "7", "--width", "5"),
        )
        assert found.returncode == 0, found.stderr
        assert "501 rows in" in found.stderr
        assert "by version 1" in found.stderr
        written.append(out.read_text())
    expected = [probability(row / 10) for row in range(500)] + [0.5]
    for text in written:
        rows = list(csv.DictReader(io.StringIO(text)))
        assert list(rows[0]) == [*HEADER.split(","), *ANSWERS]
        assert [float(row["probability"]) for row in rows] == pytest.approx(expected, rel=1e-5)
        assert rows[3]["fare"] == "0.3"


def test_without_the_serving_folder_the_server_tells_the_columns(
    server: Server, trips: Path
) -> None:
    text = "\n".join(trips.read_text().splitlines()[:3])
    found = call("predict", "-", "--server", server.rest, "--model", "trips", "--keep", "none",
                 stdin=text)  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert len(found.stdout.splitlines()) == 3


def test_lines_of_json_and_images_are_asked(asked: tuple[str, ...], tmp_path: Path) -> None:
    rows = '{"fare": 20, "speeds": [1, null]}\n{"payment": "Cash"}\n'
    found = call("predict", "-", "--input-format", "jsonl", "--keep", "fare", *asked, stdin=rows)
    assert found.returncode == 0, found.stderr
    first, second = map(json.loads, found.stdout.splitlines())
    assert first["fare"] == 20
    assert first["answer"]["probability"] == pytest.approx(probability(20))
    assert second["answer"]["probability"] == 0.5
    (tmp_path / "x.png").write_bytes(PNG)
    found = call("predict", tmp_path / "x.png", *asked)
    assert found.returncode == 0, found.stderr
    (row,) = csv.DictReader(io.StringIO(found.stdout))
    assert row["file"] == str(tmp_path / "x.png")
    assert row["probability"] == "0.5"


@pytest.mark.parametrize(
    ("line", "code", "what"),
    [
        ("abc,,,,,,,,", 3, "line 3: 'abc' in the column 'fare' is not a number"),
        ("1,2", 3, "line 3: 2 fields where the header names 9 columns"),
    ],
)
def test_a_wrong_row_is_told_with_its_line(
    asked: tuple[str, ...], tmp_path: Path, line: str, code: int, what: str
) -> None:
    path, out = tmp_path / "bad.csv", tmp_path / "out.csv"
    path.write_text(f"{HEADER}\n,,,,,,,,\n{line}\n")
    found = call("predict", path, "--out", out, *asked)
    assert found.returncode == code
    assert what in found.stderr
    assert not out.exists()


def test_a_wrong_column_and_a_wrong_server_are_told(
    asked: tuple[str, ...], serving: Path, tmp_path: Path
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(HEADER.replace("fare", "fair") + "\n,,,,,,,,\n")
    found = call("predict", path, *asked)
    assert found.returncode == 2
    assert "lacks the column 'fare'" in found.stderr
    assert "Did you mean 'fair'?" in found.stderr
    assert call("predict", path, "--allow-missing", *asked).returncode == 0
    found = call("predict", path, *asked[:4], "--version", "9")
    assert found.returncode == 5
    assert "Servable not found for request: Specific(trips, 9)" in found.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for scheme in ("http", "grpc"):
        address = f"{scheme}://127.0.0.1:{port}"
        found = call("predict", path, "--server", address, "--serving", serving)
        assert found.returncode == 4
        assert f"No server answers at {address}" in found.stderr
        assert "Traceback" not in found.stderr


def test_a_server_that_hangs_is_given_up(serving: Path, trips: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        found = call(
            "predict", trips, "--server", address, "--serving", serving, "--timeout", "0.5"
        )
    assert found.returncode == 4
    assert "did not answer in 0.5 s" in found.stderr


def test_check_sees_a_label_that_lies(server: Server, serving: Path, tmp_path: Path) -> None:
    servers = ("--server", server.rest, "--server", f"grpc://{server.grpc}")
    found = call("check", *servers, "--serving", serving)
    assert found.returncode == 0, found.stderr
    assert found.stdout.count(": ok") == 10
    lying = tmp_path / "serving"
    lying.mkdir()
    (lying / "trips").symlink_to(serving / "trips")
    served_models.write_config(lying, "trips", [1, 2], {"stable": 2})
    found = call("check", *servers, "--serving", lying, "--model", "trips")
    assert found.returncode == 6
    assert "label stable, version 2: it answers another probability" in found.stderr

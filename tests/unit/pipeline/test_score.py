"""Scoring files with a pushed model: whole files in, shards out, the answers of a server."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import score
from tests.contract import served_models
from tests.contract.served_models import COLUMNS, MODEL, probability
from tests.contract.servers import PROJECT, running

FARES = [None if row % 7 == 0 else row / 10 for row in range(3000)]
ANSWERS = ["label", "probability", "scores:small", "scores:big"]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return served_models.serving_folder(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def table() -> pa.Table:
    empty = [None] * len(FARES)
    columns: dict[str, Any] = {column["name"]: empty for column in COLUMNS}
    columns |= {
        "fare": FARES,
        "num stops": list(range(len(FARES))),
        "id": [f"r{i}" for i, _ in enumerate(FARES)],
    }
    columns["payment"] = ['a, "b"\nc' if row % 2 else "Cash" for row in range(len(FARES))]
    columns["speeds"] = ["1 2.5"] * len(FARES)
    types = {"fare": pa.float64(), "num stops": pa.int64()}
    fields = [(name, types.get(name, pa.string())) for name in columns]
    return pa.Table.from_pydict(columns, schema=pa.schema(fields))


@pytest.fixture(scope="module")
def csv_file(table: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "trips.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table.column_names)
        writer.writerows(
            ["" if v is None else v for v in row.values()] for row in table.to_pylist()
        )
    return path


def run(serving: Path, *flags: str | Path) -> int:
    return score.main([*map(str, flags), "--serving", str(serving)])


def read_csv(folder: Path) -> list[dict[str, str]]:
    (shard,) = folder.glob("part-*.csv")
    with shard.open(newline="") as file:
        return list(csv.DictReader(file))


def test_csv_is_scored_in_order_as_the_server_scores_it(
    serving: Path, csv_file: Path, tmp_path: Path
) -> None:
    assert (
        run(serving, csv_file, "--label", "stable", "--format", "csv", "--out", tmp_path / "o") == 0
    )
    found = read_csv(tmp_path / "o")
    assert list(found[0]) == [*read_header(csv_file), *ANSWERS]
    assert [row["id"] for row in found] == [f"r{i}" for i, _ in enumerate(FARES)]
    assert found[1]["payment"] == 'a, "b"\nc'
    likely = [float(row["probability"]) for row in found]
    assert likely == pytest.approx([probability(fare) for fare in FARES], rel=1e-5)
    with running(serving) as server:
        answered = subprocess.run(
            [sys.executable, "-m", "serving.client", "predict", str(csv_file), "-q",
             "--serving", str(serving), "--label", "stable", "--keep", "id",
             "--server", f"grpc://{server.grpc}"],
            cwd=PROJECT, capture_output=True, text=True, check=True,
        )  # fmt: skip
    asked = list(csv.DictReader(answered.stdout.splitlines()))
    assert [row["label"] for row in asked] == [row["label"] for row in found]
    assert [float(row["probability"]) for row in asked] == pytest.approx(likely, rel=1e-6)


def read_header(path: Path) -> list[str]:
    with path.open(newline="") as file:
        return next(csv.reader(file))


def test_parquet_in_parquet_out_keeps_types(serving: Path, table: pa.Table, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    half = len(FARES) // 2
    speeds = table.set_column(
        table.column_names.index("speeds"),
        "speeds",
        pa.array([[1.0, 2.5]] * len(FARES), pa.list_(pa.float64())),
    )
    pq.write_table(speeds.slice(0, half), folder / "a.parquet")
    pq.write_table(speeds.slice(half), folder / "b.parquet")
    assert (
        run(serving, folder, "--version", "2", "--keep", "id,fare,speeds", "--out", tmp_path / "o")
        == 0
    )
    found = pq.read_table(tmp_path / "o")
    assert found.column_names == ["id", "fare", "speeds", *ANSWERS]
    assert found.schema.field("fare").type == pa.float64()
    assert found.schema.field("probability").type == pa.float32()
    assert found["id"].to_pylist() == table["id"].to_pylist()
    assert found["probability"].to_pylist() == pytest.approx(
        [probability(fare, 2.0) for fare in FARES], rel=1e-5
    )


def test_records_go_on_with_their_answers(serving: Path, csv_file: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    assert (
        run(serving, csv_file, "--format", "tfrecord", "--label", "stable", "--out", tmp_path / "a")
        == 0
    )
    (shard,) = (tmp_path / "a").iterdir()
    first = [
        tf.train.Example.FromString(r.numpy()) for r in tf.data.TFRecordDataset(str(shard), "GZIP")
    ]
    assert len(first) == len(FARES)
    features = first[2].features.feature
    assert list(features["fare"].float_list.value) == pytest.approx([0.2])
    assert list(features["speeds"].float_list.value) == [1.0, 2.5]
    assert list(features["label"].bytes_list.value) == [b"big"]
    assert list(features["scores:big"].float_list.value) == pytest.approx([probability(0.2)])

    plain = tmp_path / "plain.tfrecord"
    with tf.io.TFRecordWriter(str(plain)) as writer:
        for fare in (5.0, None):
            example = tf.train.Example()
            if fare is not None:
                example.features.feature["fare"].float_list.value.append(fare)
            example.features.feature["more"].bytes_list.value.append(b"kept")
            writer.write(example.SerializeToString())
    for format_ in ("tfrecord", "csv"):
        out = tmp_path / format_
        assert run(serving, plain, "--format", format_, "--label", "stable", "--out", out) == 0
    (shard,) = (tmp_path / "tfrecord").iterdir()
    again = [
        tf.train.Example.FromString(r.numpy()) for r in tf.data.TFRecordDataset(str(shard), "GZIP")
    ]
    assert again[0].features.feature["more"].bytes_list.value[0] == b"kept"
    rows = read_csv(tmp_path / "csv")
    assert [row["fare"] for row in rows] == ["5", ""]
    assert [float(row["probability"]) for row in rows] == pytest.approx([probability(5.0), 0.5])


def refused(
    serving: Path, capsys: pytest.CaptureFixture[str], *flags: str | Path
) -> tuple[int, str]:
    code = run(serving, *flags)
    return code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--keep", "nothing"], "no column 'nothing' to keep"),
        (["--version", "9"], "no version for trips, version 9"),
        (["--model", "other"], "no version for other"),
        (["--workers", "0"], "--workers 0 is not 1 or more"),
        (["--saved-model", "/nowhere"], "holds no saved_model.pb"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_written(
    serving: Path,
    csv_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    flags: Sequence[str],
    what: str,
) -> None:
    code, error = refused(serving, capsys, csv_file, "--out", tmp_path / "o", *flags)
    assert code == 2
    assert what in error.replace("\n", " ")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_cell_is_told_with_its_line_and_leaves_nothing(
    serving: Path, csv_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text(csv_file.read_text().replace("\n0.2,", "\nabc,", 1))
    code, error = refused(serving, capsys, bad, "--out", tmp_path / "o")
    assert code == 3
    assert "Column 'fare'" in error
    assert "'abc' is not float" in error
    assert [path.name for path in tmp_path.iterdir()] == ["bad.csv"]


def test_a_column_that_is_lacking_is_named(
    serving: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.csv").write_text("fair,payment\n1,Cash\n")
    code, error = refused(serving, capsys, tmp_path / "x.csv", "--out", tmp_path / "o")
    assert code == 2
    assert "The data lacks 'fare', 'num stops'" in error
    assert "Did you mean 'fair'?" in error


def test_an_output_that_exists_is_left_alone(
    serving: Path, csv_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "mine").touch()
    code, error = refused(serving, capsys, csv_file, "--out", tmp_path / "o")
    assert (code, "exists. Remove it" in error) == (2, True)
    assert (tmp_path / "o" / "mine").exists()


def test_a_model_that_says_nothing_of_its_columns_scores_records_only(
    serving: Path, csv_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    shutil.copytree(serving / MODEL / "1", model)
    (model / "assets.extra" / "data_spec.json").unlink()
    code, error = refused(
        serving, capsys, csv_file, "--saved-model", model, "--out", tmp_path / "o"
    )
    assert code == 2
    assert "Give it TFRecord files" in error

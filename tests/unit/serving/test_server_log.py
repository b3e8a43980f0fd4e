"""The log of requests: what is in it, how large it gets, and that the drift check reads it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tfx  # noqa: F401  it puts a stand-in where an import of TFDV would fail
from tensorflow_metadata.proto.v0 import schema_pb2

from components.validation.serving_log import statistics_of
from serving.protos import example_pb2
from serving.server.engine import Engine, Target
from serving.server.settings import EngineSettings, LogSettings
from tests.contract import served_models
from tests.contract.served_models import MODEL, ROWS, raw_row


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return served_models.serving_folder(tmp_path_factory.getbasetemp())


def log_of(serving: Path, folder: Path, *requests: Any, **settings: Any) -> list[dict[str, Any]]:
    """Asks the model and returns the lines of the log."""

    async def run() -> None:
        log = LogSettings(folder=folder, **settings)
        engine = Engine(EngineSettings(serving=serving, poll_s=0, log=log))
        await engine.start()
        for signature, inputs in requests:
            await engine.predict(Target(MODEL, label="stable"), signature, inputs)
        await engine.stop()

    asyncio.run(run())
    return list(lines(folder))


def lines(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.iterdir()):
        for line in file.read_text().splitlines():
            yield json.loads(line)


def example(**values: float | str) -> bytes:
    made = example_pb2.Example()
    for name, value in values.items():
        feature = made.features.feature[name]
        if isinstance(value, str):
            feature.bytes_list.value.append(value.encode())
        else:
            feature.float_list.value.append(value)
    serialized: bytes = made.SerializeToString()
    return serialized


def examples(*rows: bytes) -> dict[str, np.ndarray]:
    array = np.empty(len(rows), object)
    array[:] = rows
    return {"examples": array}


def test_a_row_is_logged_by_column_without_what_is_missing(serving: Path, tmp_path: Path) -> None:
    first, second = log_of(serving, tmp_path, *[("serving_raw", raw_row(row)) for row in ROWS])
    assert (first["model"], first["version"], first["signature"]) == (MODEL, 1, "serving_raw")
    assert first["time"].endswith("+00:00")
    (row,) = first["instances"]
    photo = base64.b64encode(ROWS[0]["photo"]).decode()
    # As in the data: `num stops`, not the `num_stops` of the signature.
    assert row == {
        "fare": 12.5,
        "num stops": 3,
        "payment": "Cash",
        "weekday": 6,
        "shared": "yes",
        "begin": 1_400_269_500,
        "note": "no änswer",
        "speeds": [1.5, 2.5],
        "photo": {"b64": photo},
    }
    assert second["instances"] == [
        {"fare": -40.0, "payment": "<b>Credit</b> 'Card'", "weekday": 2, "speeds": [3.0]}
    ]


def test_the_drift_check_reads_the_log(serving: Path, tmp_path: Path) -> None:
    rows = [example(fare=1.0, payment="Cash"), example(fare=3.0)]
    log_of(
        serving,
        tmp_path,
        ("serving_default", examples(*rows)),
        *[("serving_raw", raw_row({"fare": 5.0, "payment": b"Cash"})) for _ in range(2)],
    )
    schema = schema_pb2.Schema()
    schema.feature.add(name="fare", type=schema_pb2.FLOAT)
    schema.feature.add(name="num stops", type=schema_pb2.INT)
    schema.feature.add(name="payment", type=schema_pb2.BYTES)
    found, num_rows = statistics_of(tmp_path, schema, 100)
    assert num_rows == 4
    features = {feature.path.step[0]: feature for feature in found.datasets[0].features}
    assert features["fare"].num_stats.mean == pytest.approx((1 + 3 + 5 + 5) / 4)
    payment = features["payment"].string_stats
    assert payment.common_stats.num_missing == 1
    assert [(top.value, top.frequency) for top in payment.top_values] == [("Cash", 3.0)]
    assert features["num stops"].num_stats.common_stats.num_missing == 4


def test_redacted_columns_are_not_written(serving: Path, tmp_path: Path) -> None:
    found = log_of(
        serving,
        tmp_path,
        ("serving_raw", raw_row(ROWS[0])),
        ("serving_default", examples(example(fare=1.0, payment="Cash"), b"")),
        redact=("payment", "num stops", "photo"),
    )
    (row,) = found[0]["instances"]
    assert {"fare", "note"} <= row.keys()
    assert not {"payment", "num stops", "num_stops", "photo"} & row.keys()
    written = [base64.b64decode(row["b64"]) for row in found[1]["instances"]]
    kept = [sorted(example_pb2.Example.FromString(row).features.feature) for row in written]
    assert kept == [["fare"], []]
    assert "Cash" not in (next(tmp_path.iterdir())).read_text()


def test_files_are_rotated_by_size_and_the_oldest_go(serving: Path, tmp_path: Path) -> None:
    requests = [("serving_raw", raw_row({"fare": float(number)})) for number in range(40)]
    found = log_of(serving, tmp_path, *requests, max_bytes=600, num_files=3)
    sizes = [file.stat().st_size for file in tmp_path.iterdir()]
    assert len(sizes) == 3
    assert max(sizes) <= 600
    fares = [line["instances"][0]["fare"] for line in found]
    assert fares == list(range(40 - len(fares), 40))
    assert len(fares) > 3


def test_a_sample_is_written(serving: Path, tmp_path: Path) -> None:
    requests = [("serving_default", examples(b""))] * 200
    assert 20 < len(log_of(serving, tmp_path / "some", *requests, sample=0.25)) < 90
    assert log_of(serving, tmp_path / "none", *requests[:20], sample=0.0) == []


def test_a_log_that_cannot_keep_up_drops_and_counts_and_never_waits(
    serving: Path, tmp_path: Path
) -> None:
    async def run() -> bytes:
        engine = Engine(EngineSettings(serving=serving, poll_s=0, log=LogSettings(folder=tmp_path)))
        await engine.start()
        servable = engine.servable(Target(MODEL))
        # 16 MB each: more than may wait, however fast the disk is.
        large = examples(*[bytes(1 << 20)] * 16)
        for _ in range(40):
            engine._log.note(servable, "serving_default", large)
        await engine.stop()
        return engine.metrics.text()

    text = asyncio.run(run()).decode()
    counts = {
        line.split()[0]: float(line.split()[1])
        for line in text.splitlines()
        if not line.startswith("#") and "log" in line
    }
    logged = counts["waybill_logged_requests_total"]
    dropped = counts["waybill_dropped_log_requests_total"]
    assert logged + dropped == 40
    assert dropped > 0
    assert logged == len(list(lines(tmp_path)))


def test_a_log_whose_folder_goes_away_does_not_end_the_service(
    serving: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "log"

    async def run() -> bytes:
        log = LogSettings(folder=folder, max_bytes=1)
        engine = Engine(EngineSettings(serving=serving, poll_s=0, log=log))
        await engine.start()
        folder.rmdir()
        for _ in range(5):
            await engine.predict(Target(MODEL), None, examples(b""))
        await engine.stop()
        return engine.metrics.text()

    assert b"waybill_dropped_log_requests_total 5.0" in asyncio.run(run())

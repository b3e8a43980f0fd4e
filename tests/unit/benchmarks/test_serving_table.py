from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import serving
from benchmarks.measure import BenchmarkError
from benchmarks.serving import Bare, Served, Serving
from tests.contract import served_models


def served(batch_size: int, connections: int, rows_per_s: float, failed: int = 0) -> Served:
    return Served(
        batch_size=batch_size,
        connections=connections,
        rows_per_s=rows_per_s,
        p50_ms=2.0,
        p99_ms=4.0,
        num_requests=12_000,
        num_failed=failed,
    )


def test_the_server_is_related_to_bare_calls_of_the_same_batch() -> None:
    found = Serving(
        bare=[
            Bare(batch_size=1, rows_per_s=1000.0, p50_ms=1.0, p99_ms=1.5),
            Bare(batch_size=64, rows_per_s=50_000.0, p50_ms=1.2, p99_ms=2.0),
        ],
        served=[served(1, 8, 2000.0), served(64, 1, 10_000.0, failed=3), served(64, 8, 30_000.0)],
        moved=served(1, 32, 1500.0),
        moves=7,
    )
    table = serving.table(found)
    assert [(row[0], row[1], row[4], row[5], row[-2], row[-1]) for row in table.rows] == [
        ("1", "1,000", "8", "2,000", "2.00", "0"),
        ("64", "50,000", "1", "10,000", "0.20", "3"),
        ("64", "50,000", "8", "30,000", "0.60", "0"),
    ]
    assert "up to 0.60 of the bare rows; the aim is 0.5" in table.notes[0]
    assert "moved 7 times, 0 of 12,000 requests failed" in table.notes[1]


def test_rows_are_those_of_the_warm_up_as_json_has_them(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    base = served_models.serving_folder(tmp_path_factory.getbasetemp())
    version = base / served_models.MODEL / "1"
    first, second, third = serving._rows(version, 3)
    assert first == third
    assert first["fare"] == 12.5
    assert second["fare"] == -40.0
    assert set(first["payment"]) == {"b64"}
    assert np.array(first["speeds"]).shape == (2,)


def test_a_version_without_a_warm_up_cannot_be_measured(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="without warm-up requests"):
        serving._rows(tmp_path, 1)

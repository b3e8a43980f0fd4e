from __future__ import annotations

from pathlib import Path

import pytest

from components.errors import ConfigError, DataRejected
from components.ingestion.digits import gray_png
from pipeline import config
from pipeline.resolve import Resolved, resolve


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "t.csv"
    rows = [f"{r * r},word {r} in a text of words,{r % 3},{r % 2}" for r in range(960)]
    path.write_text("\n".join(["a,text,w,y", *rows]) + "\n")
    return path


def _resolve(data: Path, *assignments: str, label: str = "y") -> Resolved:
    values = {"name": "x", "data": {"path": str(data)}, "label": {"column": label}}
    return resolve(config.validate(config.override(values, assignments), "x.yaml"))


@pytest.mark.parametrize(
    ("assignments", "steps", "note"),
    [
        ([], 400, "training: 400 steps"),
        (["training.steps=7"], 7, "training: 7 steps"),
        (["training.epochs=2.5"], None, "training: 2.5 passes over the data"),
        (["training.time_limit_s=60"], None, "training: 60 s"),
        (["training.steps=7", "training.epochs=2"], 7, "training: 7 steps, at most 2 passes"),
        (["training.batch_size=8"], 3200, "training: 3200 steps"),
        (["training.batch_size=1"], 10_000, "training: 10000 steps"),
        (["training.batch_size=640"], 300, "training: 300 steps"),
    ],
)
def test_the_rows_say_how_long_to_train_where_nothing_else_does(
    table: Path, assignments: list[str], steps: int | None, note: str
) -> None:
    resolved = _resolve(table, *assignments)
    assert resolved.config.training.steps == steps
    assert any(line.startswith(note) for line in resolved.notes)


def test_the_weight_is_a_column_of_numbers_and_no_input(table: Path) -> None:
    resolved = _resolve(table, "label.weight=w")
    assert resolved.data_spec.weight == "w"
    assert "w" not in {feature.name for feature in resolved.data_spec.features}
    assert "weight of the rows: w" in resolved.notes
    with pytest.raises(ConfigError, match=r"label\.weight: the data has no column 'v'"):
        _resolve(table, "label.weight=v")
    table.write_text(table.read_text() + "1,x,-1,0\n")
    with pytest.raises(DataRejected, match=r"'w' in .*t\.csv, line 962: '-1' is not a finite"):
        _resolve(table, "label.weight=w")


def test_texts_images_and_paths_are_not_told_apart_by_value(table: Path, tmp_path: Path) -> None:
    assert _resolve(table).opaque == ("text",)
    assert _resolve(table, "features.text.kind=categorical").opaque == ()
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "1.png").write_bytes(gray_png([b"\x01\x02"] * 2))
    resolved = _resolve(tmp_path / "photos", label="label")
    assert resolved.opaque == ("image", "path")
    assert resolved.column_types["image"] == "image"

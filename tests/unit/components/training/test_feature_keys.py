"""Models of hashed, crossed, boolean and timestamp columns: trained, served, started from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.features import CATEGORICAL, NUMERIC, Cross, DataSpec, Feature, Label
from components.training.export import export
from components.training.vocabulary_rows import Key, vocabularies
from components.training.warm_start import load_warm_start
from tests.unit.components.training.datasets import Dataset, Row, make_dataset, serialized
from tests.unit.components.training.exported import Exported, prepared, trained, untrained
from tests.unit.components.training.test_export_raw import as_columns, assert_same_answers

SPEC = DataSpec(
    features=(
        Feature(name="fare", kind="numeric", dtype="float", scale="log", missing="median"),
        Feature(name="miles", kind="numeric", dtype="float", buckets=4, scale="minmax"),
        Feature(name="seats", kind="numeric", dtype="int", scale="none", clip=20, missing=-1),
        Feature(name="town", kind="categorical", dtype="bytes", oov_buckets=3),
        Feature(name="song", kind="categorical", dtype="bytes", top_k=2),
        Feature(name="user", kind="categorical", dtype="int", hash_buckets=16),
        Feature(name="paid", kind="boolean", dtype="bytes"),
        Feature(name="when", kind="timestamp", dtype="int", unit="ms"),
        Feature(name="day", kind="timestamp", dtype="bytes"),
    ),
    label=Label(column="sold", dtype="bytes", problem="binary", classes=("no", "yes")),
    crosses=(
        Cross(columns=("town", "paid")),
        Cross(columns=("miles", "user"), hash_buckets=24),
    ),
)
ODD: tuple[Row, ...] = (
    {},
    {"town": "Atlantis", "song": "?", "user": -(2**62), "paid": "maybe", "day": "never"},
    {"fare": 1e30, "miles": 1e30, "seats": 2**60, "when": 2**62},
    {"fare": -1e30, "miles": float("-inf"), "seats": -(2**60), "when": -(2**62)},
    {"paid": " TRUE", "day": "2014-05-01T17:30:00+02:00", "town": "\nx"},
)


def rows(towns: tuple[str, ...], count: int = 80) -> list[Row]:
    return [
        {
            "fare": float(i * i % 50),
            "miles": float(i % 9),
            "seats": i % 4,
            "town": towns[min(i % 4, len(towns) - 1)],
            "song": f"song {i % 3}",
            "user": i % 40,
            "paid": ("yes", "no")[i % 2],
            "when": 1_398_965_400_000 + i * 3_600_000,
            "day": f"2014-05-{1 + i % 28:02d}",
            "sold": ("no", "yes")[i % 3 == 0],
        }
        for i in range(count)
    ]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("keys")
    dataset = make_dataset(folder, SPEC, rows(("Oslo", "Rome", "Bern")))
    learner = trained(dataset, steps=20, hidden_units=(8,), embedding_dim=0)
    export(learner, SPEC, transform_graph=str(dataset.graph), directory=folder / "model")
    return Exported(dataset, learner, folder / "model")


def meaning_of(dataset: Dataset) -> Any:
    return vocabularies(SPEC, dataset.graph / "transform_fn" / "assets")


def test_the_served_model_answers_odd_rows_as_it_did_in_training(model: Exported) -> None:
    asked = [*(dict(row) for row in model.dataset.raw[:20]), *ODD]
    asked = [{name: v for name, v in row.items() if name != "sold"} for row in asked]
    answer = model.ask("serving_default", examples=[serialized(row) for row in asked])
    np.testing.assert_allclose(answer["probability"], model.expected_scores(asked), rtol=1e-5)
    assert len(np.unique(answer["probability"])) > 10


def test_columns_are_answered_like_examples(model: Exported) -> None:
    finite = [row for row in ODD if "miles" not in row or np.isfinite(row["miles"])]
    assert_same_answers(model, [*(dict(row) for row in model.dataset.raw[:20]), *finite])
    assert set(as_columns([{}], SPEC)) == {feature.name for feature in SPEC.features}


def test_a_network_knows_every_id_and_every_number(model: Exported) -> None:
    import tensorflow_transform as tft

    from components.training.models.shape import input_shape

    shape = input_shape(SPEC, tft.TFTransformOutput(str(model.dataset.graph)))
    columns = prepared(model.dataset, "train")
    assert columns[NUMERIC].shape[1] == shape.numeric_width == 3 + 2 + 7 + 7
    assert columns[CATEGORICAL].shape[1] == shape.num_slots == len(SPEC.slots) == 7
    assert columns[CATEGORICAL].max() < shape.num_ids
    assert shape.names[NUMERIC] == ("fare", "miles", "seats", "when", "day")
    assert shape.names[CATEGORICAL][-2:] == ("town x paid", "miles x user")
    assert shape.local_ids is not None
    for slot, ids in enumerate(columns[CATEGORICAL].T):
        assert shape.local_ids[ids].max() < shape.slot_sizes[slot]
    assert shape.slot_sizes[2:] == (17, 3, 5, shape.slot_sizes[5], 24)


def test_rows_move_to_the_same_value_hash_and_cross(model: Exported, tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path, SPEC, rows(("Bern", "Lima", "Oslo")))
    learner = untrained(dataset, seed=3, hidden_units=(8,), embedding_dim=0)
    drawn = {weight.path: np.asarray(weight.value) for weight in learner.model.weights}
    found = load_warm_start(
        learner.model, str(model.folder), spec=SPEC, transform_graph=str(dataset.graph)
    )
    assert not found.skipped
    old, new = meaning_of(model.dataset), meaning_of(dataset)
    before = {w.path: np.asarray(w.value) for w in model.learner.model.weights}
    after = {w.path: np.asarray(w.value) for w in learner.model.weights}
    for slot, keys in enumerate(new.slots):
        path = f"embedding_{slot}/embeddings"
        earlier = {key: row for row, key in enumerate(old.slots[slot])}
        same = [row for row, key in enumerate(keys) if key in earlier]
        assert same, "every column has ids that both models know"
        expected = before[path][[earlier[keys[row]] for row in same]]
        np.testing.assert_array_equal(after[path][same], expected)
    towns = [key.value for key in new.slots[0]]
    # With several ids for unseen values there is no one row to begin a new value with.
    lima = towns.index(b"town=Lima")
    path = "embedding_0/embeddings"
    np.testing.assert_array_equal(after[path][lima], drawn[path][lima])
    crossed = new.slots[5]
    [pair] = [row for row, key in enumerate(crossed) if key.value.endswith(b"Lima\x1f1")]
    unseen = old.slots[5].index(Key("town x paid", "unseen"))
    path = "embedding_5/embeddings"
    np.testing.assert_array_equal(after[path][pair], before[path][unseen])


@pytest.mark.parametrize("change", ["scale", "cross"])
def test_weights_of_other_columns_are_not_taken(
    model: Exported, tmp_path: Path, change: str
) -> None:
    if change == "scale":
        fare = SPEC.features[0].model_copy(update={"scale": "zscore"})
        spec = SPEC.model_copy(update={"features": (fare, *SPEC.features[1:])})
    else:
        other = Cross(columns=("town", "song"))
        spec = SPEC.model_copy(update={"crosses": (other, SPEC.crosses[1])})
    learner = untrained(model.dataset, hidden_units=(8,), embedding_dim=0)
    found = load_warm_start(
        learner.model, str(model.folder), spec=spec, transform_graph=str(model.dataset.graph)
    )
    skipped = {name for name, _ in found.skipped}
    assert "hidden_0/kernel" in skipped

"""Hashes, vocabularies of one's own, booleans and crosses, analyzed by real Beam."""

from __future__ import annotations

import collections
from pathlib import Path

import numpy as np
import pytest

import farmhash
from components.features import CATEGORICAL, NUMERIC, Cross, DataSpec, Feature, Label, num_ids
from components.training.vocabulary_rows import vocabularies
from components.transform.settings import TransformSettings
from tests.unit.components.transform.analysis import Apply, Rows, analyze

SPEC = DataSpec(
    features=(
        Feature(name="town", kind="categorical", dtype="bytes"),
        Feature(name="user", kind="categorical", dtype="int", hash_buckets=50),
        Feature(name="song", kind="categorical", dtype="bytes", top_k=3),
        Feature(name="band", kind="categorical", dtype="bytes", top_k=2, oov_buckets=7),
        Feature(name="rare", kind="categorical", dtype="bytes", min_count=9),
        Feature(name="paid", kind="boolean", dtype="bytes"),
        Feature(name="flag", kind="boolean", dtype="int"),
        Feature(name="miles", kind="numeric", dtype="float", buckets=4),
        Feature(name="when", kind="timestamp", dtype="bytes"),
    ),
    label=Label(column="y", dtype="int", problem="binary", classes=("0", "1")),
    crosses=(
        Cross(columns=("town", "paid")),
        Cross(columns=("town", "user"), hash_buckets=5000),
        Cross(columns=("miles", "flag"), hash_buckets=5000),
    ),
)
SLOTS = [slot.name for slot in SPEC.slots]
TRAIN: Rows = [
    {
        "town": ("Oslo", "Rome", "=town x paid=")[index % 3],
        "user": index,
        "song": f"song {min(index % 8, index % 5)}",
        "band": f"band {index % 4}",
        "rare": "often" if index % 2 else f"rare {index % 20}",
        "paid": ("Yes", "no", "YES")[index % 3],
        "flag": index % 2,
        "miles": float(index),
        "when": "2014-05-01",
        "y": index % 2,
    }
    for index in range(80)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("categories")


@pytest.fixture(scope="module")
def apply(folder: Path) -> Apply:
    return analyze(SPEC, TRAIN, folder)


@pytest.fixture(scope="module")
def meaning(apply: Apply, folder: Path):
    return vocabularies(SPEC, folder / "graph" / "transform_fn" / "assets")


def ids(apply: Apply, name: str, rows: Rows) -> list[int]:
    return apply(rows)[CATEGORICAL][:, SLOTS.index(name)].tolist()


ODD: Rows = [
    {},
    {"town": "Atlantis", "user": -(2**60), "song": "?", "band": "?", "rare": "?", "paid": "maybe"},
    {"flag": 17, "miles": 1e30, "when": "never", "town": ""},
    {"town": "x" * 5000, "band": "\n", "song": b"\xff\xfe", "paid": "TRUE", "flag": 0},
]


def test_ids_are_in_the_table_and_each_belongs_to_its_slot(apply: Apply, meaning) -> None:
    found = apply(TRAIN + ODD)[CATEGORICAL]
    sizes = [
        apply.output.vocabulary_size_by_name(name)  # type: ignore[attr-defined]
        for name in SPEC.vocabularies
    ]
    assert len(meaning.ids) == num_ids(SPEC, sum(sizes))
    assert found.min() >= 0
    assert found.max() < len(meaning.ids)
    for slot, name in enumerate(SLOTS):
        assert {meaning.ids[index].column for index in found[:, slot]} == {name}


def test_terms_mean_the_values_they_were_made_of(apply: Apply, meaning) -> None:
    found = apply(TRAIN[:3])[CATEGORICAL]
    towns = [meaning.ids[index].value for index in found[:, SLOTS.index("town")]]
    assert towns == [b"town=Oslo", b"town=Rome", b"town==town x paid="]
    crossed = {meaning.ids[index].value for index in found[:, SLOTS.index("town x paid")]}
    assert len(crossed) == 3
    assert all(term.startswith(b"=town x paid=") for term in crossed)


def test_hashes_are_spread_and_missing_has_its_own(apply: Apply, meaning) -> None:
    found = ids(apply, "user", TRAIN)
    assert len(set(found)) > 30
    missing, first = ids(apply, "user", [{}, {"user": 0}])
    assert meaning.ids[missing].what == "hash 0 of 50"
    assert missing not in found
    assert first == found[0]


def test_a_hash_is_the_same_on_every_machine(apply: Apply, meaning) -> None:
    # A model that is trained here must find its rows where it is served.
    found = ids(apply, "user", [{"user": user} for user in (0, 12, -5)])
    expected = [1 + farmhash.fingerprint64(text) % 50 for text in ("0", "12", "-5")]
    assert [meaning.ids[index].what for index in found] == [f"hash {n} of 50" for n in expected]


def test_top_k_keeps_the_most_frequent_of_each_column(apply: Apply, meaning) -> None:
    counts = collections.Counter(row["song"] for row in TRAIN)
    kept = [f"song={song}".encode() for song, _ in counts.most_common(3)]
    terms = [key.value for key in meaning.ids if key.column == "song" and key.what == "term"]
    assert sorted(terms) == sorted(kept)
    of_band = [key for key in meaning.ids if key.column == "band" and key.what == "term"]
    assert len(of_band) == 2, "a column's top_k is not shared with another's"


def test_min_count_of_a_column_differs_from_that_of_all(apply: Apply, meaning) -> None:
    terms = [key.value for key in meaning.ids if key.column == "rare" and key.what == "term"]
    assert terms == [b"rare=often"]


def test_unseen_values_share_as_many_ids_as_is_said(apply: Apply, meaning) -> None:
    unseen = [{"band": f"new {number}"} for number in range(200)]
    found = ids(apply, "band", unseen)
    assert len(set(found)) == 7
    assert {meaning.ids[index].what for index in found} == {f"unseen {n} of 7" for n in range(7)}
    assert found == ids(apply, "band", unseen)
    assert len(set(ids(apply, "town", [{"town": f"new {n}"} for n in range(9)]))) == 1


def test_booleans_are_read_in_whatever_case(apply: Apply, meaning) -> None:
    words = ["true", "YES", " On ", "1", "false", "No", "off", "0", "", "maybe"]
    found = ids(apply, "paid", [{"paid": word} for word in words] + [{}])
    what = [meaning.ids[index].what for index in found]
    assert what == ["boolean 2"] * 4 + ["boolean 1"] * 4 + ["boolean 0"] * 3
    flags = ids(apply, "flag", [{"flag": 0}, {"flag": 1}, {"flag": 7}, {}])
    assert [meaning.ids[index].what[-1] for index in flags] == ["1", "2", "0", "0"]


def test_a_cross_is_told_by_all_of_its_columns(apply: Apply) -> None:
    rows = [{"town": town, "user": user} for town in ("Oslo", "Rome") for user in (1, 2)]
    assert len(set(ids(apply, "town x user", rows))) == 4
    pairs = [{"town": town, "paid": paid} for town in ("Oslo", "Atlantis") for paid in ("y", "n")]
    found = ids(apply, "town x paid", pairs)
    assert found[0] != found[2] == found[3], "what was never seen together is unseen"
    miles = [{"miles": value, "flag": 1} for value in (-5.0, 30.0, 50.0, 99.0)]
    assert len(set(ids(apply, "miles x flag", [*miles, {"flag": 1}]))) == 5


def test_columns_that_are_crossed_do_not_run_together(tmp_path: Path) -> None:
    spec = DataSpec(
        features=tuple(Feature(name=name, kind="categorical", dtype="bytes") for name in "ab"),
        label=SPEC.label,
        crosses=(Cross(columns=("a", "b"), hash_buckets=1000),),
    )
    apply = analyze(spec, [{"a": "x", "b": "y", "y": 0}] * 2, tmp_path)
    found = apply([{"a": "x", "b": "yz"}, {"a": "xy", "b": "z"}])[CATEGORICAL][:, 2]
    assert found[0] != found[1]


def test_timestamps_stand_beside_the_numbers(apply: Apply) -> None:
    found = apply([{"miles": 3.0, "when": "2014-05-01"}, {}])[NUMERIC]
    assert found.shape == (2, 1 + 7)
    assert found[:, -1].tolist() == [0, 1]


def test_a_table_of_hashes_and_booleans_needs_no_vocabulary(tmp_path: Path) -> None:
    spec = DataSpec(features=SPEC.features[1:2] + SPEC.features[5:7], label=SPEC.label)
    assert spec.vocabularies == ()
    apply = analyze(spec, TRAIN[:10], tmp_path, TransformSettings(min_count=100))
    found = apply([*TRAIN[:10], {}])[CATEGORICAL]
    assert found[-1].tolist() == [0, 51, 54]
    assert found.max() < num_ids(spec, 0) == 51 + 3 + 3
    assert not list((tmp_path / "graph" / "transform_fn" / "assets").glob("*"))


def test_all_kinds_of_one_table_have_one_order(apply: Apply) -> None:
    found = apply(TRAIN[:1])[CATEGORICAL][0]
    assert len(found) == len(SLOTS) == len(np.unique(found))
    assert SLOTS[-3:] == ["town x paid", "town x user", "miles x flag"]


def test_a_wide_table_costs_three_analyzers() -> None:
    import tensorflow as tf
    from tensorflow_transform import analyzer_nodes

    from components.transform.preprocessing import preprocessing_fn

    features = [
        Feature(name=f"{kind} {number}", kind=kind, dtype="int", **keys)
        for number in range(20)
        for kind, keys in (
            ("numeric", {"buckets": 10}),
            ("categorical", {}),
            ("boolean", {}),
            ("timestamp", {}),
        )
    ]
    features += [Feature(name="log", kind="numeric", dtype="int", scale="log")]
    features += [Feature(name="hash", kind="categorical", dtype="int", hash_buckets=9)]
    spec = DataSpec(
        features=tuple(features),
        label=SPEC.label,
        crosses=(Cross(columns=("categorical 1", "boolean 2")),),
    )
    config = {
        "data_spec": spec.model_dump_json(),
        "settings": TransformSettings().model_dump_json(),
    }
    with tf.Graph().as_default() as graph:
        names = [feature.name for feature in features] + ["y"]
        preprocessing_fn({n: tf.compat.v1.sparse_placeholder(tf.int64) for n in names}, config)
        found = graph.get_collection(analyzer_nodes.TENSOR_REPLACEMENTS)
    labels = {item.future.parent_operation.operation_def.label for item in found}
    assert {label.partition("[")[2].split("#")[0].rstrip("]") for label in labels} == {
        "scale_to_z_score",
        "quantiles",
        "vocabulary",
    }

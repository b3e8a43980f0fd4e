"""Training that begins with the weights of an earlier model."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.errors import NodeFailed
from components.features import DataSpec, Feature, Label
from components.training.export import export
from components.training.export.weights import weights_of
from components.training.vocabulary_rows import Key, vocabularies
from components.training.warm_start import WarmStart, load_warm_start
from tests.unit.components.training.datasets import Dataset, Row, make_dataset
from tests.unit.components.training.exported import Exported, Trained, trained, untrained

SPEC = DataSpec(
    features=(
        Feature(name="color", kind="categorical", dtype="bytes"),
        Feature(name="a=b", kind="categorical", dtype="int"),
        Feature(name="size", kind="numeric", dtype="float", buckets=3),
        Feature(name="note", kind="text", dtype="bytes", length=4),
    ),
    label=Label(column="sold", dtype="bytes", problem="binary", classes=("no", "yes")),
)
OLD = {"color": ("red", "blue", "green"), "a=b": (1, 2, 3), "note": ("good", "bad", "ugly")}
# Other frequencies, so other ids; and of each column one value gone and one new.
NEW = {"color": ("blue", "red", "pink"), "a=b": (4, 3, 2), "note": ("fine", "bad", "good")}
TABLES = {"embedding/embeddings", "wide_ids/embeddings", "token_embedding/embeddings"}
CONV = {"name": "conv1d", "filters": (4,), "hidden_units": (8,)}


def rows(values: dict[str, tuple[Any, ...]], count: int = 90) -> list[Row]:
    """The first value of each column is the most frequent, the last the least."""
    made = []
    for i in range(count):
        pick = 0 if i % 6 < 3 else 1 if i % 6 < 5 else 2
        row = {
            name: found[(pick + j * (i % 5 == 4)) % 3]
            for j, (name, found) in enumerate(values.items())
        }
        made.append(row | {"size": float(i % 7), "sold": ("no", "yes")[pick == 0]})
    return made


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("old")
    dataset = make_dataset(folder, SPEC, rows(OLD))
    learner = trained(dataset, steps=20, **CONV)
    export(learner, SPEC, transform_graph=str(dataset.graph), directory=folder / "model")
    return Exported(dataset, learner, folder / "model")


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_dataset(tmp_path_factory.mktemp("new"), SPEC, rows(NEW))


def start(learner: Trained, directory: Path, dataset: Dataset, spec: DataSpec = SPEC) -> WarmStart:
    return load_warm_start(
        learner.model, str(directory), spec=spec, transform_graph=str(dataset.graph)
    )


def keys_of(dataset: Dataset) -> dict[str, tuple[Key, ...]]:
    found = vocabularies(SPEC, dataset.graph / "transform_fn" / "assets")
    return {"embedding/embeddings": found.ids, "token_embedding/embeddings": found.tokens}


def values_of(learner: Trained) -> dict[str, np.ndarray]:
    return {weight.path: weight.numpy() for weight in learner.model.weights}


def test_a_value_keeps_its_embedding_under_another_id(old: Exported, new: Dataset) -> None:
    learner = untrained(new, seed=1, **CONV)
    started = start(learner, old.folder, new)
    assert started.skipped == ()
    before, after = values_of(old.learner), values_of(learner)
    for name, keys in keys_of(new).items():
        old_keys = keys_of(old.dataset)[name]
        common = set(keys) & set(old_keys)
        assert len({key for key in common if key.what == "term"}) >= 2
        assert any(keys.index(key) != old_keys.index(key) for key in common)
        for key in common:
            np.testing.assert_array_equal(
                after[name][keys.index(key)], before[name][old_keys.index(key)], err_msg=str(key)
            )


def test_a_new_value_begins_as_an_unseen_one(old: Exported, new: Dataset) -> None:
    learner = untrained(new, seed=1, **CONV)
    start(learner, old.folder, new)
    before, after = values_of(old.learner), values_of(learner)
    for name, term, column in (
        ("embedding/embeddings", b"color=pink", "color"),
        ("embedding/embeddings", b"a\\=b=4", "a=b"),
        ("token_embedding/embeddings", b"fine", ""),
    ):
        keys, old_keys = keys_of(new)[name], keys_of(old.dataset)[name]
        np.testing.assert_array_equal(
            after[name][keys.index(Key(column, "term", term))],
            before[name][old_keys.index(Key(column, "unseen"))],
        )


def test_a_started_model_answers_as_the_earlier_one(
    old: Exported, new: Dataset, tmp_path: Path
) -> None:
    learner = untrained(new, seed=1, **CONV)
    start(learner, old.folder, new)
    export(learner, SPEC, transform_graph=str(new.graph), directory=tmp_path / "model")
    both = [
        {"color": color, "a=b": number, "size": size, "note": note}
        for color in ("red", "blue", "never seen")
        for number in (2, 3)
        for size in (0.0, 6.0)
        for note in ("good bad", "bad", "")
    ]
    answers = Exported(new, learner, tmp_path / "model").expected_scores(both)
    # Both data sets have the same sizes, so the same scale and buckets.
    np.testing.assert_allclose(answers, old.expected_scores(both), rtol=1e-4)
    assert np.ptp(answers) > 0.05


def test_tables_of_one_column_move_within_it(old: Exported, new: Dataset, tmp_path: Path) -> None:
    settings = CONV | {"embedding_dim": 0}
    earlier = untrained(old.dataset, seed=1, **settings)
    graph = str(old.dataset.graph)
    export(earlier, SPEC, transform_graph=graph, directory=tmp_path / "model")
    learner = untrained(new, seed=2, **settings)
    assert start(learner, tmp_path / "model", new).skipped == ()
    assets = Path("transform_fn") / "assets"
    old_slots = vocabularies(SPEC, old.dataset.graph / assets).slots
    new_slots = vocabularies(SPEC, new.graph / assets).slots
    assert len(new_slots) == 3
    for slot, keys in enumerate(new_slots):
        before = values_of(earlier)[f"embedding_{slot}/embeddings"]
        after = values_of(learner)[f"embedding_{slot}/embeddings"]
        common = set(keys) & set(old_slots[slot])
        assert len(common) >= 3
        for key in common:
            np.testing.assert_array_equal(
                after[keys.index(key)], before[old_slots[slot].index(key)]
            )


def test_without_the_meaning_of_columns_no_table_is_taken(
    old: Exported, new: Dataset, tmp_path: Path
) -> None:
    model = shutil.copytree(old.folder, tmp_path / "model")
    (model / "assets.extra" / "data_spec.json").unlink()
    learner = untrained(new, seed=1, **CONV)
    initial = values_of(learner)
    started = start(learner, model, new)
    skipped = dict(started.skipped)
    tables = TABLES & initial.keys()
    assert skipped.keys() == tables
    assert all("does not say what its columns mean" in reason for reason in skipped.values())
    assert set(started.loaded) == initial.keys() - tables
    for name, value in values_of(learner).items():
        expected = initial[name] if name in tables else values_of(old.learner)[name]
        np.testing.assert_array_equal(value, expected)


def test_other_columns_keep_only_the_tables(old: Exported, new: Dataset) -> None:
    features = (
        SPEC.features[0].model_copy(update={"name": "colour"}),
        *SPEC.features[1:],
    )
    spec = SPEC.model_copy(update={"features": features})
    learner = untrained(new, seed=1, **CONV)
    started = start(learner, old.folder, new, spec)
    assert set(started.loaded) == TABLES & values_of(learner).keys()
    reasons = set(dict(started.skipped).values())
    assert reasons == {"the columns are not those of the earlier model: no color; new colour"}


def test_columns_in_another_order_are_other_columns(old: Exported, new: Dataset) -> None:
    first, second, *rest = SPEC.features
    spec = SPEC.model_copy(update={"features": (second, first, *rest)})
    started = start(untrained(new, seed=1, **CONV), old.folder, new, spec)
    assert {reason for _, reason in started.skipped} == {
        "the columns are not those of the earlier model: another order"
    }


def test_other_classes_keep_all_but_the_output(old: Exported, new: Dataset) -> None:
    label = SPEC.label.model_copy(update={"classes": ("yes", "no")})
    spec = SPEC.model_copy(update={"label": label})
    started = start(untrained(new, seed=1, **CONV), old.folder, new, spec)
    assert started.skipped == (
        ("output/kernel", "the classes are yes, no, those of the earlier model no, yes"),
        ("output/bias", "the classes are yes, no, those of the earlier model no, yes"),
    )


def test_what_has_no_match_is_named_with_the_reason(old: Exported, new: Dataset) -> None:
    learner = untrained(new, seed=1, **CONV | {"hidden_units": (5, 4)})
    initial = values_of(learner)
    started = start(learner, old.folder, new)
    skipped = dict(started.skipped)
    width = initial["hidden_0/kernel"].shape[0]
    assert skipped["hidden_0/kernel"] == (
        f"its shape is ({width}, 5), that of the earlier model ({width}, 8)"
    )
    assert skipped["hidden_1/bias"] == "the earlier model has no weights of this name"
    np.testing.assert_array_equal(values_of(learner)["hidden_1/kernel"], initial["hidden_1/kernel"])
    assert set(started.loaded) | set(skipped) == initial.keys()


def test_tables_of_another_width_are_named(old: Exported, new: Dataset) -> None:
    learner = untrained(new, seed=1, **CONV | {"embedding_dim": 3})
    reason = dict(start(learner, old.folder, new).skipped)["embedding/embeddings"]
    assert reason.startswith("its rows have the shape (3,); that of the earlier model is (")


def test_a_model_that_is_gone_or_damaged_is_a_clear_failure(
    old: Exported, new: Dataset, tmp_path: Path
) -> None:
    learner = untrained(new, seed=1, **CONV)
    initial = values_of(learner)
    with pytest.raises(NodeFailed, match=f"{tmp_path} has no weights to start from"):
        start(learner, tmp_path, new)
    model = shutil.copytree(old.folder, tmp_path / "model")
    (model / "assets" / "vocabulary").unlink()
    with pytest.raises(NodeFailed, match=f"the model to start from, {model}, is damaged"):
        start(learner, model, new)
    model = shutil.copytree(old.folder, tmp_path / "cut")
    (weights,) = model.glob("variables/variables.data-*")
    weights.write_bytes(weights.read_bytes()[:50])
    with pytest.raises(NodeFailed, match=f"{model} has no weights to start from"):
        start(learner, model, new)
    for name, value in values_of(learner).items():
        np.testing.assert_array_equal(value, initial[name])


def test_nothing_of_the_earlier_model_is_run(old: Exported, new: Dataset, tmp_path: Path) -> None:
    model = shutil.copytree(old.folder, tmp_path / "model")
    (model / "saved_model.pb").write_bytes(b"no graph")
    assert start(untrained(new, seed=1, **CONV), model, new).skipped == ()
    assert weights_of(model).keys() == values_of(old.learner).keys()

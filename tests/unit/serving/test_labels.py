"""What models.config says, and what of it a change of ours keeps."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from serving import changes
from serving.errors import LabelError
from serving.labels import ServedModel, config_of, labels, live, read_config
from serving.shelves import LocalShelf
from tests.unit.serving.shelf import push, write_model

BY_HAND = """\
# what an operator wrote
model_config_list {
  config {
    name: "other"
    base_path: "/srv/other"
    model_platform: "tensorflow"
    model_version_policy { latest { num_versions: 2 } }
    logging_config { sampling_config { sampling_rate: 0.5 } }
  }
  config {
    name: "taxi"
    base_path: "/old/place/taxi"
    model_platform: "tensorflow"
    logging_config { log_collector_config { type: "file" filename_prefix: "/logs/taxi" } }
    version_labels { key: "canary" value: 1 }
  }
}
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    base = tmp_path / "serving" / "taxi"
    base.mkdir(parents=True)
    return base


def test_nothing_is_labelled_before_the_first_push(base: Path) -> None:
    assert read_config(config_of(base)) == {}
    assert labels(base) == {}
    assert live(base) is None


def test_push_is_live_and_loaded_with_the_version_before(model: Path, base: Path) -> None:
    for key in "abc":
        push(LocalShelf(base), model, key)
    assert config_of(base) == base.parent / "models.config"
    assert read_config(config_of(base)) == {
        "taxi": ServedModel(name="taxi", base=base, versions=(2, 3), labels={"stable": 3})
    }
    assert live(base) == 3
    assert live(base, "canary") is None


def test_file_is_what_tf_serving_reads(model: Path, base: Path) -> None:
    push(LocalShelf(base), model, "a")
    config = text_format.Parse(
        config_of(base).read_text(), model_server_config_pb2.ModelServerConfig()
    )
    [entry] = config.model_config_list.config
    assert entry.name == "taxi"
    assert entry.base_path == str(base)
    assert entry.model_platform == "tensorflow"
    assert list(entry.model_version_policy.specific.versions) == [1]
    assert dict(entry.version_labels) == {"stable": 1}


def test_what_was_written_by_hand_stays(model: Path, base: Path) -> None:
    shelf = LocalShelf(base)
    shelf.publish(model, key="a", properties={}, extras={})
    config_of(base).write_text(BY_HAND)
    push(shelf, model, "b")
    config = text_format.Parse(
        config_of(base).read_text(), model_server_config_pb2.ModelServerConfig()
    )
    before = text_format.Parse(BY_HAND, model_server_config_pb2.ModelServerConfig())
    other, taxi = config.model_config_list.config
    assert other == before.model_config_list.config[0]
    assert taxi.logging_config == before.model_config_list.config[1].logging_config
    assert taxi.base_path == str(base)
    assert labels(base) == {"canary": 1, "stable": 2}


def test_label_on_a_version_that_is_gone_does_not_stay(model: Path, base: Path) -> None:
    config_of(base).write_text(BY_HAND.replace("value: 1", "value: 9"))
    assert labels(base) == {"canary": 9}
    push(LocalShelf(base), model, "a")
    assert labels(base) == {"stable": 1}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"model_config_list {", "is no models.config of TF Serving: 1:"),
        (b"model_config_list { config { nmae: 'x' } }", 'has no field named "nmae"'),
        (b"\xff", "is no models.config of TF Serving"),
        (b"model_config_list { config { name: 'x' } config { name: 'x' } }", "'x' twice"),
        (b"custom_model_config { type_url: 'x' }", "holds a custom_model_config"),
    ],
)
def test_damaged_file_is_one_error_and_stays_as_it_is(
    model: Path, base: Path, content: bytes, expected: str
) -> None:
    shelf = LocalShelf(base)
    push(shelf, model, "a")
    config_of(base).write_bytes(content)
    with pytest.raises(LabelError) as caught:
        labels(base)
    assert str(config_of(base)) in str(caught.value)
    assert expected in str(caught.value)
    with pytest.raises(LabelError, match=r"models\.config"):
        changes.roll_back(shelf, "stable")
    assert config_of(base).read_bytes() == content


def test_folder_in_its_place_is_one_error(base: Path) -> None:
    config_of(base).mkdir()
    with pytest.raises(LabelError, match=r"Cannot read .*models\.config: Is a directory"):
        labels(base)
